declare const IAA_ZSWAP_COMMIT: string | undefined;

/**
 * The git commit that the program was built from, with `-dirty` when tracked files differed from it; `unknown` when
 * it was not built in a checkout. scripts/build.mjs puts it in.
 */
export const buildCommit: string = typeof IAA_ZSWAP_COMMIT === 'string' ? IAA_ZSWAP_COMMIT : 'unknown';
