/** The library: the stages of the command line as typed functions. Nothing here prints or exits. */
export type { Receipt } from './apply/apply.js';
export type { Restored } from './apply/restore.js';
export { type Mismatch, verify } from './apply/verify.js';
export {
  type Compressor,
  type CompressorInfo,
  compressors,
  type Outcomes,
  openCompressor,
  type Slot,
} from './codec/compressor.js';
export { counterSources } from './collect/counters.js';
export {
  type CellData,
  type CellRecord,
  type Manifest,
  type RunRecord,
  readRecord,
} from './collect/record.js';
export type { Row } from './collect/rows.js';
export { type SeriesEnd, type SeriesHeader, SeriesReader, SeriesRecorder } from './collect/series.js';
export { discover } from './discover/discover.js';
export { type Mapping, mappingOf } from './discover/iaa-mapping.js';
export type { Finding, Inventory, Source } from './discover/inventory.js';
export type { Diagnosis, Severity } from './doctor/diagnosis.js';
export { type Examination, examine } from './doctor/doctor.js';
export * from './errors.js';
export { AppliedPlan, type ApplyPlanOptions, applyPlan as apply } from './experiment/apply-plan.js';
export { type Cell, cellsOf } from './experiment/cells.js';
export { type ExperimentEvent, experimentEvents } from './experiment/events.js';
export { parseExperiment, readExperiment } from './experiment/file.js';
export {
  type RestoreHostOptions,
  type RestoreOutcome,
  restoreHost as restore,
} from './experiment/restore-host.js';
export { type RunEvent, type RunOptions, type RunOutcome, runExperiment } from './experiment/run.js';
export type { Experiment } from './experiment/schema.js';
export { parseSetting, type Setting } from './experiment/setting.js';
export type { Host } from './host/host.js';
export type { MachineChange, MachineKernel, MachineOptions } from './host/machine-tree.js';
export type { ModelControl, ModelRun, OutsideEvent } from './host/model-control.js';
export { openHost } from './host/open.js';
export { type HostPath, hostPath } from './host/path.js';
export type {
  Column,
  CounterSource,
  LeftOut,
  SampleSpec,
  Sampling,
  SamplingStatistics,
} from './host/sampling.js';
export { plan } from './plan/plan.js';
export { renderPlan } from './plan/render.js';
export type { Plan, Step } from './plan/steps.js';
export { compareTables, gateLines } from './report/compare-table.js';
export { published } from './report/published.js';
export { letterTables } from './report/tables.js';
export type { CellResult, Values } from './study/cell.js';
export {
  type CellSet,
  type MeasuredCell,
  type MeasuredSet,
  measuredSet,
  type NamedCell,
} from './study/cells.js';
export {
  type Comparison,
  compare,
  type PointComparison,
  type RowComparison,
} from './study/compare.js';
export { type Check, type Condition, type GateResult, gate, parseCondition } from './study/gate.js';
export type { SampledCell, SampledSet } from './study/points.js';
export { type Result, study } from './study/record.js';
export { sampledSet } from './study/sampled.js';
