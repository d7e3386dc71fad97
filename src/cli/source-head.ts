import type { Inventory } from '../discover/inventory.js';
import { printableLine } from './terminal.js';

/** The first line of what is shown of a modelled machine; of others there is none. */
export function sourceHead({ source, host }: Pick<Inventory, 'source' | 'host'>): string[] {
  return source === 'model' ? [printableLine(`source: model, ${host}`)] : [];
}
