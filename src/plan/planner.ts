import type { Inventory } from '../discover/inventory.js';
import type { PlanIssue } from '../errors.js';
import { type CodecName, codecs, shownAfter } from '../host/codecs.js';
import type { HostPath } from '../host/path.js';
import type { AttributeStep, Step } from './steps.js';

/** Why most steps are there. */
export const asSaid = 'as the experiment says';

/** Everything that the plan of one cell needs to know; issues are gathered, not thrown one by one. */
export class Planner {
  readonly issues: PlanIssue[] = [];
  readonly steps: Step[] = [];
  readonly already: AttributeStep[] = [];
  private readonly inventory: Inventory;

  constructor(inventory: Inventory) {
    this.inventory = inventory;
  }

  issue(path: string, message: string, mend: string): void {
    this.issues.push({ path, message, mend });
  }

  /** Whether the machine has an attribute, be it one that could not be read. */
  offers(path: HostPath): boolean {
    return (
      this.inventory.attributes[path] !== undefined ||
      this.inventory.findings.some((finding) => finding.path === path)
    );
  }

  /** Keeps an attribute that the kernel changes by itself with the steps from number `from` on, if there are any. */
  keep(from: number, id: string, path: HostPath, codec: CodecName, why: string): void {
    if (this.steps.length === from || this.inventory.attributes[path] === undefined) return;
    this.steps.splice(from, 0, { kind: 'keep', id, path, codec, why, affects: 'machine' });
  }

  /** Sets an attribute of the machine that the inventory knows. */
  set(id: string, path: HostPath, codec: CodecName, value: string, why: string, oneWay?: string): void {
    const was = this.inventory.attributes[path];
    if (was === undefined) {
      const found = this.inventory.findings.find((finding) => finding.path === path);
      this.issue(
        path,
        found?.message ?? 'this kernel does not offer it',
        found?.mend ?? 'remove the key from the experiment, or use a kernel that has it',
      );
      return;
    }
    const step: AttributeStep = {
      kind: 'attribute',
      id,
      path,
      codec,
      value,
      was,
      why,
      affects: 'machine',
      ...(oneWay === undefined ? {} : { oneWay }),
    };
    try {
      const { parse } = codecs[codec];
      (parse(was) === parse(shownAfter(codec, value)) ? this.already : this.steps).push(step);
    } catch {
      this.issue(
        path,
        `reads ${JSON.stringify(was)}, which the kernel never writes`,
        'look at the machine (a broken mock or capture?)',
      );
    }
  }
}
