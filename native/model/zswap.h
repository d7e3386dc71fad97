#ifndef IAA_ZSWAP_MODEL_ZSWAP_H_
#define IAA_ZSWAP_MODEL_ZSWAP_H_

#include <cstdint>
#include <optional>

#include "model/compressed_store.h"
#include "model/random.h"

namespace iaa_zswap::model {

/** mm/zswap.c: the current pool and its change, limits, what is refused, and writeback. */
class Zswap final : public CompressedStore {
 public:
  Zswap(const Parts& parts, const Config& config);

  /** The worker that writes pages back when the pool is full; it runs to the end. */
  Co<> run_worker(Task* worker);

  // From outside.
  void set_enabled(bool enabled) { config_.enabled = enabled; }
  void set_compressor(Compressor compressor);
  void set_max_pool_percent(std::uint32_t percent) { config_.max_pool_percent = percent; }
  void set_accept_threshold(std::uint32_t percent) { config_.accept_threshold_percent = percent; }

  [[nodiscard]] bool is_swap_device() const override { return false; }
  [[nodiscard]] Time entry_time() const override;
  void count(Counters* counters) const override;

 private:
  Co<bool> admit(Task* task, FolioId id, PageWork work) override;
  bool refuses_in_batch(int error) override;
  std::optional<std::uint32_t> kept_bytes(std::uint32_t bytes, int error) override;
  void note_stored(std::uint32_t pages) override;
  void note_refused() override;
  void note_loaded(std::uint32_t pages) override { parts_.counters->zswpin += pages; }
  void note_load_failed() override { ++parts_.counters->decompress_fail; }

  bool is_full();
  [[nodiscard]] std::uint64_t max_pages() const;
  [[nodiscard]] std::uint64_t accept_pages() const;
  [[nodiscard]] bool keeps_incompressible() const;
  /** Of one CPU. */
  [[nodiscard]] std::uint64_t context_bytes(const Pool& pool) const;
  [[nodiscard]] std::uint64_t context_bytes() const;

  Co<bool> write_back_one(Task* task);
  FolioId oldest_unreferenced();
  void forget_orphan(std::uint32_t cpu, FolioId id);
  void wake_worker();

  ZswapConfig config_;
  FailureConfig failures_;
  std::uint64_t memory_pages_;
  Random failing_;
  bool reached_full_ = false;
  Task* worker_ = nullptr;
  bool worker_sleeps_ = false;
  bool worker_wanted_ = false;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_ZSWAP_H_
