#include "model/machine.h"

#include <utility>

#include "model/zram.h"

namespace iaa_zswap::model {

std::variant<std::unique_ptr<Machine>, std::string> Machine::create(Config config,
                                                                    PageWitness* witness) {
  auto content = PageContent::prepare(config);
  if (auto* why = std::get_if<std::string>(&content)) return std::move(*why);
  return std::unique_ptr<Machine>(new Machine(
      std::move(config), std::move(*std::get_if<std::unique_ptr<PageContent>>(&content)), witness));
}

Machine::Machine(Config config, std::unique_ptr<PageContent> content, PageWitness* witness)
    : config_(std::move(config)),
      trace_(config_.trace.spans),
      content_(std::move(content)),
      scheduler_(&simulation_, config_.machine.cpus, config_.constants.jitter_permille),
      idxd_(&simulation_, config_.iaa, config_.constants, &trace_),
      iaa_(std::make_unique<IaaCrypto>(&simulation_, &scheduler_, &idxd_, config_.iaa,
                                       config_.kernel, config_.constants, &counters_)),
      folios_(owners_of(config_).count, owners_of(config_).pages, config_.thp.order),
      waiters_(&scheduler_),
      memcg_(config_.memcg, config_.kernel.exact_charge, scheduler_.cpus(), &counters_),
      swap_(config_.machine.swap_pages, config_.thp.order, scheduler_.cpus()) {
  const Parts parts{.simulation = &simulation_,
                    .scheduler = &scheduler_,
                    .folios = &folios_,
                    .waiters = &waiters_,
                    .memcg = &memcg_,
                    .swap = &swap_,
                    .swap_device = &swap_device_,
                    .contended = &contended_,
                    .content = content_.get(),
                    .iaa = iaa_.get(),
                    .counters = &counters_,
                    .trace = &trace_,
                    .witness = witness};
  if (config_.kernel.zram) {
    store_ = std::make_unique<Zram>(parts, config_);
  } else {
    auto zswap = std::make_unique<Zswap>(parts, config_);
    zswap_ = zswap.get();
    store_ = std::move(zswap);
  }
  memory_ = std::make_unique<Memory>(parts, store_.get(), config_, owners_of(config_).count);
  workload_ = start_workload(config_, &simulation_, &scheduler_, memory_.get());
  if (zswap_ != nullptr) {
    zswap_worker_ = zswap_->run_worker(scheduler_.add_task(scheduler_.worker_cpu(), config_.seed));
  }
  outside_.reserve(config_.events.size());
  for (const OutsideEvent& event : config_.events) {
    outside_.push_back({.machine = this, .event = event});
    const auto happen = [](void* subject) {
      const auto* outside = static_cast<const Outside*>(subject);
      outside->machine->apply(outside->event);
    };
    simulation_.at(event.time, Priority::kOutside, happen, &outside_.back());
  }
  if (config_.sample_interval > 0) {
    simulation_.at(config_.sample_interval, Priority::kObserver, do_sample, this);
  }
}

bool Machine::run_until(Time limit) {
  if (!workload_->is_done()) simulation_.run_until(limit);
  return workload_->is_done() || !simulation_.has_events();
}

void Machine::apply(const OutsideEvent& event) {
  const auto number = static_cast<std::uint32_t>(event.value);
  MemcgConfig& limits = memcg_.limits();
  switch (event.kind) {
    case OutsideKind::kCpuOffline:
      // The last CPU stays (-EBUSY).
      if (!scheduler_.set_online(event.subject, false)) return;
      store_->set_cpu_online(event.subject, false);
      memcg_.drain(event.subject);
      return;
    case OutsideKind::kCpuOnline:
      scheduler_.set_online(event.subject, true);
      store_->set_cpu_online(event.subject, true);
      return;
    case OutsideKind::kWqUnbind:
      iaa_->bind(event.subject, false, number);
      return;
    case OutsideKind::kWqBind:
      iaa_->bind(event.subject, true, number);
      return;
    case OutsideKind::kDeviceLoss:
      iaa_->lose_device(event.subject);
      return;
    case OutsideKind::kCompressor:
    case OutsideKind::kZswapEnabled:
    case OutsideKind::kMaxPoolPercent:
    case OutsideKind::kAcceptThreshold:
      // Nothing asks zswap where there is zram, whose algorithm stays while it is in use (-EBUSY).
      if (zswap_ != nullptr) set_zswap(event);
      return;
    case OutsideKind::kMemoryHigh:
      limits.high = event.value;
      return;
    case OutsideKind::kMemoryMax:
      limits.max = event.value;
      return;
    case OutsideKind::kSwapMax:
      limits.swap_max = event.value;
      return;
    case OutsideKind::kZswapMax:
      limits.zswap_max = event.value;
      return;
  }
}

void Machine::set_zswap(const OutsideEvent& event) {
  const auto number = static_cast<std::uint32_t>(event.value);
  switch (event.kind) {
    case OutsideKind::kCompressor:
      zswap_->set_compressor(static_cast<Compressor>(event.value));
      break;
    case OutsideKind::kZswapEnabled:
      zswap_->set_enabled(event.value != 0);
      break;
    case OutsideKind::kMaxPoolPercent:
      zswap_->set_max_pool_percent(number);
      break;
    default:
      zswap_->set_accept_threshold(number);
      break;
  }
}

void Machine::do_sample(void* subject) {
  auto* machine = static_cast<Machine*>(subject);
  machine->samples_.push_back({.time = machine->now(), .counters = machine->counters()});
  // Without anything else to happen there would be no end.
  if (!machine->simulation_.has_events()) return;
  machine->simulation_.at(machine->now() + machine->config_.sample_interval, Priority::kObserver,
                          do_sample, machine);
}

Counters Machine::counters() const {
  Counters counters = counters_;
  counters.memory_current = memcg_.usage() * kPageBytes;
  counters.memory_peak = memcg_.peak() * kPageBytes;
  counters.swap_current = swap_.used_pages() * kPageBytes;
  counters.anon = memory_->resident_pages() * kPageBytes;
  counters.pagetables = memory_->table_pages() * kPageBytes;
  counters.nr_anon = memory_->large_folios();
  store_->count(&counters);
  for (const std::unique_ptr<Task>& task : scheduler_.tasks()) {
    if (task->cpu == scheduler_.worker_cpu()) {
      counters.worker_time += static_cast<std::uint64_t>(task->system_time);
      continue;
    }
    counters.user_time += static_cast<std::uint64_t>(task->user_time);
    counters.system_time += static_cast<std::uint64_t>(task->system_time);
    if (task->hung) ++counters.tasks_hung;
  }
  return counters;
}

std::optional<std::string> Machine::inconsistency() const {
  const Memory::Pages pages = memory_->count_pages();
  if (pages.resident != memory_->lru_pages()) return "the LRU does not hold what is resident";
  if (pages.lost != 0) return "a list leads to a record that is elsewhere";
  // The worker may outlive the workload.
  if (!workload_->is_done() || store_->is_busy()) return std::nullopt;
  if (memory_->resident_pages() != 0 || memory_->table_pages() != 0) return "memory is left over";
  if (store_->stored_pages() != 0 || store_->stored_bytes() != 0) return "pages are stored still";
  if (store_->copied_pages() != 0) return "incompressible pages are left over";
  if (store_->total_pages() != 0) return "zsmalloc holds pages still";
  if (store_->pools() != 1) return "old pools are left over";
  if (swap_.used_pages() != 0) return "swap entries are left over";
  const std::uint64_t stocked = memcg_.stocked_pages() * kPageBytes + memcg_.stocked_bytes();
  if ((memcg_.usage() - memory_->fixed_pages()) * kPageBytes != stocked) {
    return "the cgroup is charged for nothing";
  }
  return std::nullopt;
}

}  // namespace iaa_zswap::model
