/** Splits a command line into words as a shell does: blanks outside of single or double quotes; a # after a blank begins a comment. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*(?:(#.*)|((?:'[^']*'|"[^"]*"|[^\s'"])+))/gy;
  for (const [, comment, word] of line.trim().matchAll(pattern)) {
    if (comment !== undefined) break;
    if (word !== undefined)
      words.push(
        word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
      );
  }
  return words;
}
