#!/usr/bin/env bash
# Builds and runs every native/test/*_test.cc under ASan and UBSan, with each compiler that the package supports; as many
# at a time as there are CPUs.
# A test names the other sources it needs in lines `// Sources: FILE...`, and libraries in `// Libraries: NAME...`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Output comes in one piece, so that programs side by side do not mix theirs.
one() {
  local compiler=$1 test=$2 program sources libraries output
  local flags=(-std=c++20 -g -O1 -Inative -pthread -Wall -Wextra -Wconversion -Wshadow -Werror
    -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
  program=build/native-test/$(basename "$test" .cc).$compiler
  read -ra sources <<<"$(sed -n 's|^// Sources: ||p' "$test" | tr '\n' ' ')"
  read -ra libraries <<<"$(sed -n 's|^// Libraries: ||p' "$test")"
  if output=$({ "$compiler" "${flags[@]}" "$test" "${sources[@]}" "${libraries[@]/#/-l}" -o "$program" && "$program"; } 2>&1); then
    printf '%s\n' ${output:+"$output"} "ok $program"
  else
    printf '%s\n' "$output" "FAILED $program"
    return 1
  fi
}
export -f one

mkdir -p build/native-test
for compiler in g++ clang++-19; do
  for test in native/test/*_test.cc; do
    printf '%s\0' "$compiler" "$test"
  done
done | xargs -0 -n 2 -P "$(nproc)" bash -c 'one "$@"' one
