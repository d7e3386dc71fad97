/** A value as the letter prints it; `--` for a counter that does not exist. */
export function formatValue(value: number | undefined, { decimals }: { readonly decimals: number }): string {
  return value === undefined
    ? '--'
    : value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
