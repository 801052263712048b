/**
 * Where the package's own files are. The build puts modules together: what stands in one file here stands in another one there, but always
 * one folder below the root, as this file does.
 */

/** The address of a file of the package that is named as in `dist/`. */
export function packageFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url);
}
