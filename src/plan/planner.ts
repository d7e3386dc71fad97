import type { Inventory } from '../discover/inventory.js';
import type { PlanIssue } from '../errors.js';
import { type CodecName, codecs } from '../host/codecs.js';
import type { HostPath } from '../host/path.js';
import { keptInstead } from './kept-values.js';
import { type AttributeStep, type BindStep, type Step, textAfter } from './steps.js';

/** Why most steps are there. */
export const asSaid = 'as the experiment says';

/** Everything that the plan of one cell needs to know; issues are gathered, not thrown one by one. */
export class Planner {
  readonly issues: PlanIssue[] = [];
  readonly steps: Step[] = [];
  readonly already: (AttributeStep | BindStep)[] = [];
  readonly warnings: string[] = [];
  private readonly inventory: Inventory;
  private readonly optional: readonly string[];
  /** Texts that the steps so far leave, by path. */
  private readonly planned = new Map<HostPath, string>();

  /** `optional`: ids of attributes that the machine may lack. */
  constructor(inventory: Inventory, optional: readonly string[] = []) {
    this.inventory = inventory;
    this.optional = optional;
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

  /** An attribute's text after the steps so far; undefined where the machine does not offer it. */
  textOf(path: HostPath): string | undefined {
    return this.planned.get(path) ?? this.inventory.attributes[path];
  }

  /** Sets an attribute of the machine that the inventory knows. What follows `:` in an id tells several of one key apart. */
  set(id: string, path: HostPath, codec: CodecName, value: string, why: string, oneWay?: string): void {
    const was = this.textOf(path);
    if (was === undefined) {
      if (this.optional.includes(id.replace(/:.*/, '')) && !this.offers(path)) {
        this.warnings.push(`${id} is left out: this machine has no ${path}`);
        return;
      }
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
      ...this.kept(id, path, value),
    };
    try {
      const same = this.holds(step, was);
      (same ? this.already : this.steps).push(step);
      if (!same) this.planned.set(path, textAfter(step));
    } catch {
      this.issue(
        path,
        `reads ${JSON.stringify(was)}, which the kernel never writes`,
        'look at the machine (a broken mock or capture?)',
      );
    }
  }

  /** Whether an attribute's text is what a step would leave; throws CodecError. */
  holds(step: Pick<AttributeStep, 'codec' | 'value' | 'reads'>, text: string): boolean {
    const { parse } = codecs[step.codec];
    return parse(text) === parse(textAfter(step));
  }

  /** What the kernel is known to keep instead, with a warning. */
  kept(id: string, path: HostPath, value: string): { readonly reads?: string } {
    const kept = keptInstead(this.inventory, path, value);
    if (kept !== undefined)
      this.warnings.push(`${id}: '${value}' will read back '${kept.reads}': ${kept.why}`);
    return this.keptSilently(path, value);
  }

  /** The same without the warning. */
  keptSilently(path: HostPath, value: string): { readonly reads?: string } {
    const kept = keptInstead(this.inventory, path, value);
    return kept === undefined ? {} : { reads: kept.reads };
  }
}
