#ifndef IAA_ZSWAP_MODEL_FOLIO_WAITERS_H_
#define IAA_ZSWAP_MODEL_FOLIO_WAITERS_H_

#include <utility>
#include <vector>

#include "model/folio_table.h"
#include "model/scheduler.h"

namespace iaa_zswap::model {

/** Tasks that sleep until a folio is unlocked: reclaim or writeback is at work on it. */
class FolioWaiters {
 public:
  explicit FolioWaiters(Scheduler* scheduler) : scheduler_(scheduler) {}

  /** `co_await until_unlocked(...)`. */
  auto until_unlocked(Task* task, FolioId id) {
    waiting_.emplace_back(id, task);
    return scheduler_->block(task);
  }

  void unlock(FolioId id) {
    if (waiting_.empty()) [[likely]]
      return;
    std::erase_if(waiting_, [&](const std::pair<FolioId, Task*>& each) {
      if (each.first != id) return false;
      scheduler_->wake(each.second);
      return true;
    });
  }

 private:
  Scheduler* scheduler_;
  std::vector<std::pair<FolioId, Task*>> waiting_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_FOLIO_WAITERS_H_
