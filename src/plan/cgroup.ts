import type { Inventory } from '../discover/inventory.js';
import type { Experiment } from '../experiment/schema.js';
import { codecs } from '../host/codecs.js';
import { type HostPath, hostPath } from '../host/path.js';
import { cgroupFile } from '../kernel/memcg.js';
import { asSaid, type Planner } from './planner.js';

/** The name of our cgroup and of our systemd unit: one, because one lock per host lets one run be. */
const ourName = 'iaa-zswap';

export function planCgroup(planner: Planner, inventory: Inventory, experiment: Experiment): HostPath {
  const { controllers, subtreeControl, systemd } = inventory.cgroup;
  const mount = inventory.cgroup.mount === undefined ? undefined : hostPath(inventory.cgroup.mount);
  const cpuset =
    experiment.cgroup['cpuset.cpus'] !== undefined || experiment.cgroup['cpuset.mems'] !== undefined;
  const needed = cpuset ? ['memory', 'cpuset'] : ['memory'];
  if (mount === undefined) {
    planner.issue(
      '/sys/fs/cgroup',
      'no cgroup v2 is mounted',
      'boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 on /sys/fs/cgroup',
    );
    return hostPath('/sys/fs/cgroup', ourName);
  }
  for (const controller of needed.filter((name) => !controllers.includes(name))) {
    planner.issue(
      cgroupFile(mount, 'cgroup.controllers'),
      `cgroup v2 has no ${controller} controller here`,
      'a cgroup v1 hierarchy holds it, or the kernel was booted with cgroup_disable: boot with systemd.unified_cgroup_hierarchy=1',
    );
  }
  let directory: HostPath;
  if (systemd) {
    // systemd owns the hierarchy: only a delegated unit of ours may be changed (systemd's CGROUP_DELEGATION).
    const unit = `${ourName}.scope`;
    const path = hostPath(mount, 'system.slice', unit);
    planner.steps.push({
      kind: 'scope',
      id: 'cgroup.scope',
      unit,
      path,
      affects: 'run',
      why: 'systemd owns the cgroup tree: this is the part of it that is ours',
    });
    for (const controller of needed) {
      planner.steps.push({
        kind: 'controller',
        id: `cgroup.+${controller}`,
        path: cgroupFile(path, 'cgroup.subtree_control'),
        controller,
        affects: 'run',
        why: 'for the limits of the workload',
      });
    }
    directory = hostPath(path, 'workload');
  } else {
    for (const controller of needed.filter((name) => !subtreeControl.includes(name))) {
      planner.steps.push({
        kind: 'controller',
        id: `cgroup.+${controller}`,
        path: cgroupFile(mount, 'cgroup.subtree_control'),
        controller,
        affects: 'machine',
        why: 'for the limits of the workload',
      });
    }
    directory = hostPath(mount, ourName);
  }
  planner.steps.push({
    kind: 'cgroup',
    id: 'cgroup.create',
    path: directory,
    affects: 'run',
    why: 'the workload runs here',
  });
  for (const [name, value] of Object.entries(experiment.cgroup)) {
    const [codec, text] =
      typeof value === 'boolean'
        ? (['oneZero', codecs.oneZero.format(value)] as const)
        : typeof value === 'string' && value !== 'max'
          ? (['text', value] as const)
          : (['limit', String(value)] as const);
    planner.steps.push({
      kind: 'attribute',
      id: `cgroup.${name}`,
      path: cgroupFile(directory, name),
      codec,
      value: text,
      was: undefined,
      affects: 'run',
      why: asSaid,
    });
  }
  return directory;
}
