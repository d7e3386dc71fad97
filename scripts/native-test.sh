#!/usr/bin/env bash
# Builds and runs every native/test/*_test.cc under ASan and UBSan, with each compiler that the package supports.
# A test names the other sources it needs in lines `// Sources: FILE...`, and libraries in `// Libraries: NAME...`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

flags=(-std=c++20 -g -O1 -Inative -pthread -Wall -Wextra -Wconversion -Wshadow -Werror
  -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
mkdir -p build/native-test

for compiler in g++ clang++-19; do
  for test in native/test/*_test.cc; do
    read -ra sources <<<"$(sed -n 's|^// Sources: ||p' "$test" | tr '\n' ' ')"
    read -ra libraries <<<"$(sed -n 's|^// Libraries: ||p' "$test")"
    program=build/native-test/$(basename "$test" .cc).$compiler
    "$compiler" "${flags[@]}" "$test" "${sources[@]}" "${libraries[@]/#/-l}" -o "$program"
    "$program"
    echo "ok $program"
  done
done
