/** JSON as it was written: objects are Maps, so the order of keys stays and `__proto__` is a key like any other. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject extends ReadonlyMap<string, JsonValue> {}

const MAX_DEPTH = 64;

/**
 * Parses JSON and refuses what JSON.parse hides: a key given twice in an object. Nesting is limited to 64 levels.
 * @throws SyntaxError with the offset, in characters.
 */
export function parseStrictJson(text: string): JsonValue {
  let offset = 0;

  const fail = (expected: string): never => {
    const got = offset < text.length ? JSON.stringify(text[offset]) : 'the end';
    throw new SyntaxError(`expected ${expected} at character ${offset} but got ${got}`);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = offset;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) offset += found.length;
    return found;
  };
  const skip = (): void => void match(/[ \t\n\r]*/y);
  const take = (mark: string): boolean => {
    skip();
    const there = text.startsWith(mark, offset);
    if (there) offset += mark.length;
    return there;
  };
  const string = (): string => {
    skip();
    // JSON.parse decodes the escapes and refuses bad ones.
    const token = match(/"(?:[^"\\]|\\[^])*"/y) ?? fail('a string');
    return JSON.parse(token) as string;
  };

  const value = (depth: number): JsonValue => {
    if (depth > MAX_DEPTH) fail(`at most ${MAX_DEPTH} levels`);
    skip();
    if (text[offset] === '"') return string();
    if (take('{')) return object(depth);
    if (take('[')) return list(depth);
    if (take('null')) return null;
    if (take('true')) return true;
    if (take('false')) return false;
    return Number(match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y) ?? fail('a value'));
  };

  const object = (depth: number): JsonObject => {
    const members = new Map<string, JsonValue>();
    if (take('}')) return members;
    do {
      const key = string();
      if (members.has(key)) throw new SyntaxError(`expected each key once but got ${JSON.stringify(key)} twice`);
      if (!take(':')) fail('a colon');
      members.set(key, value(depth + 1));
    } while (take(','));
    if (!take('}')) fail('a comma or a closing brace');
    return members;
  };

  const list = (depth: number): readonly JsonValue[] => {
    const items: JsonValue[] = [];
    if (take(']')) return items;
    do items.push(value(depth + 1));
    while (take(','));
    if (!take(']')) fail('a comma or a closing bracket');
    return items;
  };

  const whole = value(0);
  skip();
  if (offset < text.length) fail('the end');
  return whole;
}

/** Whether a JSON value is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}
