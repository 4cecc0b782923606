/** Pieces of the generated Markdown pages. */

export function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

export function code(text: string): string {
  return `\`${text}\``;
}
