#include "model/idxd.h"

#include <algorithm>

namespace iaa_zswap::model {
namespace {

/** A number that all priorities, 1 to 15, divide. */
constexpr std::uint64_t kShares = 360'360;

}  // namespace

Idxd::Idxd(Simulation* simulation, const IaaConfig& config, const Constants& constants,
           ChromeTrace* trace)
    : simulation_(simulation),
      constants_(constants),
      trace_(trace),
      devices_(config.devices.size()),
      wqs_(config.wqs.size()) {
  for (std::uint32_t i = 0; i < devices_.size(); ++i) {
    for (const std::uint32_t engines : config.devices[i].group_engines) {
      Group group;
      group.idxd = this;
      group.device = i;
      group.engines.resize(engines);
      devices_[i].groups.push_back(std::move(group));
    }
  }
  for (std::uint32_t i = 0; i < wqs_.size(); ++i) {
    Wq& wq = wqs_[i];
    wq.config = config.wqs[i];
    // idxd_wq_alloc_resources(): entries of a shared queue above its threshold are for others.
    wq.descriptors = wq.config.shared ? wq.config.threshold : wq.config.size;
    Group& group = devices_[wq.config.device].groups[wq.config.group];
    group.chooses = group.chooses || std::ranges::any_of(group.wqs, [&](std::uint32_t other) {
                      return wqs_[other].config.priority != wq.config.priority;
                    });
    group.wqs.push_back(i);
  }
}

void Idxd::settle(Wq& wq) {
  while (!wq.completions.empty() && wq.completions.front() <= simulation_->now()) {
    wq.completions.pop_front();
    --wq.taken;
  }
}

bool Idxd::accepts(std::uint32_t number) {
  Wq& wq = wqs_[number];
  if (!wq.config.shared) return true;
  settle(wq);
  return wq.taken + wq.config.foreign <= wq.config.threshold;
}

Time Idxd::serve(Group& group, std::uint32_t engine, Operation operation, Time arrival) {
  const bool compresses = operation == Operation::kCompress;
  const Time service = compresses ? constants_.iaa_service : constants_.iaa_decompress_service;
  const Time before_pipe = std::max<Time>(0, constants_.iaa_engine - service);
  const Time begin = std::max(arrival, group.engines[engine]);
  const Time end = devices_[group.device].pipe.serve(begin + before_pipe, service);
  group.engines[engine] = end;
  trace_->span(ChromeTrace::Kind::kDevice, group.device * 64 + engine,
               compresses ? "compress" : "decompress", begin, end);
  // Unloaded, a descriptor takes service and latency together.
  return end + constants_.iaa_latency - before_pipe;
}

void Idxd::complete(Wq& wq, Release release, Time done, Batch* batch) {
  if (release == Release::kAtCompletion) wq.completions.push_back(done);
  batch->done = std::max(batch->done, done);
}

void Idxd::tell(Batch* batch) {
  --batch->open;
  if (batch->open > 0 || !batch->waiter) return;
  const Time done = batch->done == kNever ? simulation_->now() : batch->done;
  simulation_->resume_at(done, Priority::kTask, batch->waiter);
}

void Idxd::submit(std::uint32_t number, Operation operation, Time arrival, Release release,
                  Batch* batch) {
  Wq& wq = wqs_[number];
  Device& device = devices_[wq.config.device];
  Group& group = device.groups[wq.config.group];
  if (device.lost_at <= arrival) {
    batch->done = kNever;
    return;
  }
  if (group.chooses) {
    ++batch->open;
    // A queue that was empty is owed nothing.
    if (wq.waiting.empty()) wq.share = std::max(wq.share, group.share);
    wq.waiting.push_back(
        {.operation = operation, .release = release, .arrival = arrival, .batch = batch});
    simulation_->at(arrival, Priority::kTask, choose_again, &group);
    return;
  }
  // With equal work in turn that is the one that is free first.
  const std::uint32_t engine = group.next_engine;
  group.next_engine = engine + 1 == group.engines.size() ? 0 : engine + 1;
  complete(wq, release, serve(group, engine, operation, arrival), batch);
}

void Idxd::choose_again(void* subject) {
  auto* group = static_cast<Group*>(subject);
  group->idxd->choose(*group);
}

void Idxd::choose(Group& group) {
  const Time now = simulation_->now();
  const auto engine = std::ranges::min_element(group.engines);
  if (devices_[group.device].lost_at <= now || *engine > now) return;
  Wq* chosen = nullptr;
  for (const std::uint32_t number : group.wqs) {
    Wq& wq = wqs_[number];
    if (wq.waiting.empty() || wq.waiting.front().arrival > now) continue;
    if (chosen == nullptr || wq.share < chosen->share) chosen = &wq;
  }
  if (chosen == nullptr) return;
  const Waiting waiting = chosen->waiting.front();
  chosen->waiting.pop_front();
  group.share = chosen->share;
  chosen->share += kShares / chosen->config.priority;
  const auto number = static_cast<std::uint32_t>(engine - group.engines.begin());
  complete(*chosen, waiting.release, serve(group, number, waiting.operation, now), waiting.batch);
  tell(waiting.batch);
  simulation_->at(*engine, Priority::kTask, choose_again, &group);
}

void Idxd::lose(std::uint32_t number) {
  Device& device = devices_[number];
  if (device.lost_at != kNever) return;
  device.lost_at = simulation_->now();
  for (const Group& group : device.groups) {
    for (const std::uint32_t wq : group.wqs) {
      for (const Waiting& waiting : wqs_[wq].waiting) {
        waiting.batch->done = kNever;
        tell(waiting.batch);
      }
      wqs_[wq].waiting.clear();
    }
  }
}

}  // namespace iaa_zswap::model
