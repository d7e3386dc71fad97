#include "model/scheduler.h"

namespace iaa_zswap::model {

bool Scheduler::set_online(std::uint32_t number, bool online) {
  Cpu& cpu = cpus_[number];
  if (cpu.online == online) return true;
  if (!online && next_online(number) == number) return false;
  cpu.online = online;
  if (online) return true;
  // Those that queue go at once; the current one when it next computes.
  Task* task = cpu.first;
  cpu.first = nullptr;
  cpu.last = nullptr;
  while (task != nullptr) {
    Task* next = task->next;
    task->next = nullptr;
    enter(task);
    task = next;
  }
  return true;
}

}  // namespace iaa_zswap::model
