/** The kinds of workload that an experiment can name. */
export const workloadKinds = ['usemem', 'madvise', 'build', 'command'] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

/** A workload with its kind; `P` is the `workload` part of an experiment, or of a record's. */
export type WorkloadOf<P> = {
  readonly [K in WorkloadKind & keyof P]-?: { readonly kind: K; readonly parameters: NonNullable<P[K]> };
}[WorkloadKind & keyof P];

/** The workload that a part names; there is exactly one. */
export function workloadOf<P extends { readonly [K in WorkloadKind]?: unknown }>(part: P): WorkloadOf<P> {
  const kind = workloadKinds.find((name) => part[name] !== undefined) ?? 'usemem';
  return { kind, parameters: part[kind] } as WorkloadOf<P>;
}
