#include "model/workload.h"

#include <algorithm>
#include <utility>

namespace iaa_zswap::model {
namespace {

/**
 * Where a task that is not bound runs: the scheduler's balancing at fork and exec looks for the
 * idlest node first, so that tasks are spread over the whole machine.
 */
std::uint32_t spread_cpu(const Config& config, std::uint32_t task, std::uint32_t tasks) {
  return static_cast<std::uint32_t>(std::uint64_t{task} * config.machine.cpus / tasks);
}

/** usemem (docs/usemem.md): each task maps its memory and writes all of it, one pass. */
class Usemem final : public Workload {
 public:
  Usemem(const Config& config, const UsememConfig& usemem, Simulation* simulation,
         Scheduler* scheduler, Memory* memory)
      : Workload(simulation, scheduler, memory, usemem.tasks),
        constants_(config.constants),
        usemem_(usemem),
        slot_pages_(1U << config.thp.order) {
    for (std::uint32_t i = 0; i < usemem.tasks; ++i) {
      const std::uint64_t bound = std::uint64_t{i} * usemem.bind_interval % config.machine.cpus;
      Task* task =
          scheduler->add_task(usemem.bind_interval == 0 ? spread_cpu(config, i, usemem.tasks)
                                                        : static_cast<std::uint32_t>(bound),
                              config.seed);
      memory->set_task(i, task);
      coroutines_.push_back(run(task, i));
    }
  }

 private:
  Co<> run(Task* task, std::uint32_t number) {
    co_await scheduler_->sleep_until(task, 1 + constants_.usemem_start_skew * number);
    for (std::uint64_t first = 0; first < usemem_.task_pages; first += usemem_.unit_pages) {
      const std::uint64_t end = std::min(first + usemem_.unit_pages, usemem_.task_pages);
      const bool written = co_await write(task, number, first, end);
      if (!written) break;
    }
    if (task->death == Death::kNone) {
      results_[number].worked = simulation_->now();
      co_await scheduler_->sleep_until(task, simulation_->now() + usemem_.sleep);
    }
    co_await free_memory(task, number);
    end(task, number);
  }

  /** Writes a mapping: every step-th byte, in pieces of a folio. */
  Co<bool> write(Task* task, std::uint32_t number, std::uint64_t first, std::uint64_t end) {
    const std::uint64_t step_pages = std::max<std::uint64_t>(1, usemem_.step_bytes / kPageBytes);
    const auto word_time = [&](std::uint64_t pages) {
      return constants_.usemem_write_page * static_cast<Time>(pages) * 8 /
             static_cast<Time>(std::min<std::uint64_t>(usemem_.step_bytes, kPageBytes));
    };
    std::uint64_t page = first;
    while (page < end) {
      // What one folio holds of it, or the next page where steps leave pages out.
      std::uint64_t pages = 1;
      if (step_pages == 1) {
        const std::uint64_t next_slot = (page / slot_pages_ + 1) * slot_pages_;
        pages = std::min(next_slot, end) - page;
      }
      const bool touched =
          co_await memory_->touch(task, number, page, static_cast<std::uint32_t>(pages), true);
      if (!touched) co_return false;
      co_await scheduler_->work(task, word_time(pages), Mode::kUser);
      page += pages * step_pages;
    }
    co_return true;
  }

  Constants constants_;
  UsememConfig usemem_;
  std::uint64_t slot_pages_;
};

/** Pages of one step of the build's processes. */
constexpr std::uint32_t kChunkPages = 16;

/**
 * A kernel build. Workers run one process after another, as make does: each allocates memory in
 * chunks, between which it computes and touches some of what it had before, and exits. At the end
 * one process, the linker, works alone.
 */
class Build final : public Workload {
 public:
  Build(const Config& config, const BuildConfig& build, Simulation* simulation,
        Scheduler* scheduler, Memory* memory)
      : Workload(simulation, scheduler, memory, build.workers),
        constants_(config.constants),
        units_left_(scaled(constants_.build_units, build)),
        working_(build.workers),
        linker_pages_(static_cast<std::uint32_t>(
            std::max<std::int64_t>(1, scaled(constants_.build_linker_pages, build)))) {
    if (config.memcg.max != kUnlimited) {
      memory->charge_fixed(config.memcg.max *
                           static_cast<std::uint64_t>(constants_.build_file_permille) / 1000);
    }
    const Time user = constants_.build_user_ms * 1'000'000;
    serial_time_ = scaled(user * constants_.build_serial_permille / 1000, build);
    const Time parallel = user - user * constants_.build_serial_permille / 1000;
    page_time_ = static_cast<double>(parallel) /
                 static_cast<double>(constants_.build_units * constants_.build_unit_pages);
    for (std::uint32_t i = 0; i < build.workers; ++i) {
      Task* task = scheduler->add_task(spread_cpu(config, i, build.workers), config.seed);
      memory->set_task(i, task);
      coroutines_.push_back(run(task, i));
    }
  }

 private:
  static std::int64_t scaled(std::int64_t all, const BuildConfig& build) {
    return static_cast<std::int64_t>(static_cast<double>(all) * build.part_per_million / 1e6);
  }

  Co<> run(Task* task, std::uint32_t number) {
    co_await scheduler_->sleep_until(task, 1 + number);
    while (units_left_ > 0 && task->death == Death::kNone) {
      --units_left_;
      // From 0.4 to 1.6 of the mean, evenly.
      const std::uint32_t permille = 400 + task->random.below(1201);
      const auto pages = static_cast<std::uint32_t>(constants_.build_unit_pages * permille / 1000);
      co_await process(task, number, pages, page_time_);
    }
    --working_;
    if (working_ == 0 && task->death == Death::kNone) {
      co_await process(task, number, linker_pages_,
                       static_cast<double>(serial_time_) / static_cast<double>(linker_pages_));
    }
    results_[number].worked = simulation_->now();
    end(task, number);
  }

  Co<> process(Task* task, std::uint32_t number, std::uint32_t pages, double page_time) {
    const auto chunk_time = static_cast<Time>(page_time * kChunkPages);
    for (std::uint32_t first = 0; first < pages; first += kChunkPages) {
      const std::uint32_t count = std::min(kChunkPages, pages - first);
      bool alive = co_await memory_->touch(task, number, first, count, true);
      if (alive) alive = co_await reuse(task, number, first + count, count);
      if (!alive) break;
      co_await scheduler_->work(task, chunk_time, Mode::kUser);
      co_await scheduler_->work(task, chunk_time * constants_.build_system_permille / 1000,
                                Mode::kSystem);
    }
    co_await free_memory(task, number);
  }

  /** Touches pages that the process has had before, for each new one so many. */
  Co<bool> reuse(Task* task, std::uint32_t number, std::uint32_t before, std::uint32_t count) {
    const auto permille = static_cast<std::uint32_t>(constants_.build_reuse_permille) * count +
                          task->random.below(1000);
    for (std::uint32_t i = 0; i < permille / 1000; ++i) {
      const std::uint32_t page = task->random.below(before);
      const bool write = (task->random.next() & 1U) != 0;
      if (memory_->touch_resident(number, page, write)) continue;
      const bool touched = co_await memory_->touch(task, number, page, 1, write);
      if (!touched) co_return false;
    }
    co_return true;
  }

  Constants constants_;
  std::int64_t units_left_;
  std::uint32_t working_;
  std::uint32_t linker_pages_;
  Time serial_time_ = 0;
  double page_time_ = 0;
};

/** A recorded trace: each task does its accesses in order, none before its time. */
class TraceReplay final : public Workload {
 public:
  TraceReplay(const Config& config, const TraceConfig& trace, Simulation* simulation,
              Scheduler* scheduler, Memory* memory)
      : Workload(simulation, scheduler, memory, trace.tasks), accesses_(trace.tasks) {
    for (const Access& access : trace.accesses) accesses_[access.task].push_back(access);
    for (std::uint32_t i = 0; i < trace.tasks; ++i) {
      Task* task = scheduler->add_task(spread_cpu(config, i, trace.tasks), config.seed);
      memory->set_task(i, task);
      coroutines_.push_back(run(task, i));
    }
  }

 private:
  /** Between two accesses that are due at once, so that the clock moves. */
  static constexpr Time kAccessTime = 100;

  Co<> run(Task* task, std::uint32_t number) {
    co_await scheduler_->sleep_until(task, 1);
    for (const Access& access : accesses_[number]) {
      co_await scheduler_->sleep_until(task, access.time);
      if (access.kind == AccessKind::kExit || task->death != Death::kNone) break;
      const bool write = access.kind == AccessKind::kWrite;
      const bool alive = co_await memory_->touch(task, number, access.page, 1, write);
      if (!alive) break;
      co_await scheduler_->work(task, kAccessTime, Mode::kUser);
    }
    results_[number].worked = simulation_->now();
    co_await free_memory(task, number);
    end(task, number);
  }

  std::vector<std::vector<Access>> accesses_;
};

}  // namespace

Co<> Workload::free_memory(Task* task, std::uint32_t number) {
  results_[number].freeing_began = simulation_->now();
  co_await memory_->free_all(task, number);
  results_[number].freed = simulation_->now();
}

Owners owners_of(const Config& config) {
  if (const auto* usemem = std::get_if<UsememConfig>(&config.workload)) {
    return {.count = usemem->tasks, .pages = usemem->task_pages};
  }
  if (const auto* build = std::get_if<BuildConfig>(&config.workload)) {
    const std::int64_t pages = std::max(config.constants.build_unit_pages * 1600 / 1000,
                                        config.constants.build_linker_pages);
    return {.count = build->workers, .pages = static_cast<std::uint64_t>(pages)};
  }
  const auto* trace = std::get_if<TraceConfig>(&config.workload);
  return {.count = trace->tasks, .pages = trace->task_pages};
}

std::unique_ptr<Workload> start_workload(const Config& config, Simulation* simulation,
                                         Scheduler* scheduler, Memory* memory) {
  if (const auto* usemem = std::get_if<UsememConfig>(&config.workload)) {
    return std::make_unique<Usemem>(config, *usemem, simulation, scheduler, memory);
  }
  if (const auto* build = std::get_if<BuildConfig>(&config.workload)) {
    return std::make_unique<Build>(config, *build, simulation, scheduler, memory);
  }
  return std::make_unique<TraceReplay>(config, std::get<TraceConfig>(config.workload), simulation,
                                       scheduler, memory);
}

}  // namespace iaa_zswap::model
