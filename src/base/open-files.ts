/** How many files and sockets the operating system lets this process have open. Owns no state; main thread. */

type Report = { readonly userLimits?: { readonly open_files?: { readonly soft: number | string } } };

/** The runtime has raised the soft limit to the hard one by now. Infinity where there is none. About 10 ms. */
export function openFilesMax(): number {
  const { userLimits } = process.report.getReport() as Report;
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}
