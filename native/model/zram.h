#ifndef IAA_ZSWAP_MODEL_ZRAM_H_
#define IAA_ZSWAP_MODEL_ZRAM_H_

#include <cstdint>
#include <optional>

#include "model/compressed_store.h"
#include "model/random.h"

namespace iaa_zswap::model {

/**
 * drivers/block/zram as the swap area, and zswap never enabled. A projection where its compressor
 * is deflate-iaa, which zram cannot use: as the letter's roadmap has it, by the same calls and
 * batches as zswap. No cgroup is charged, nothing is written back, and what it cannot keep is a
 * write error.
 */
class Zram final : public CompressedStore {
 public:
  Zram(const Parts& parts, const Config& config);

  [[nodiscard]] bool is_swap_device() const override { return true; }
  [[nodiscard]] Time entry_time() const override { return constants_.zram_entry; }
  void count(Counters* counters) const override;

 private:
  Co<bool> admit(Task* task, FolioId id, PageWork work) override;
  bool refuses_in_batch(int error) override;
  std::optional<std::uint32_t> kept_bytes(std::uint32_t bytes, int error) override;
  void note_stored(std::uint32_t pages) override { parts_.counters->count_swapped_out(pages); }
  void note_refused() override {}
  void note_loaded(std::uint32_t pages) override { parts_.counters->pswpin += pages; }
  void note_load_failed() override {}

  std::uint32_t zsmalloc_failures_;
  Random failing_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_ZRAM_H_
