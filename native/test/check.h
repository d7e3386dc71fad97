#ifndef IAA_ZSWAP_TEST_CHECK_H_
#define IAA_ZSWAP_TEST_CHECK_H_

#include <cstdlib>
#include <iostream>
#include <source_location>
#include <string_view>

namespace iaa_zswap::test {

/** Ends the test program at the first condition that does not hold, and says where that is. */
inline void check(bool holds, std::string_view what = "",
                  std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::cerr << where.file_name() << ':' << where.line() << ": does not hold"
            << (what.empty() ? "" : ": ") << what << '\n';
  std::exit(1);
}

/** Ends the test program when the two differ, and shows both. */
template <typename Actual, typename Expected>
void check_equal(const Actual& actual, const Expected& expected,
                 std::source_location where = std::source_location::current()) {
  if (actual == expected) return;
  std::cerr << where.file_name() << ':' << where.line() << ": is " << actual << ", expected "
            << expected << '\n';
  std::exit(1);
}

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_CHECK_H_
