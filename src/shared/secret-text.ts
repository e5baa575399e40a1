/**
 * Where secrets stand in a config's text, for whatever shows some of it: code
 * frames, the admin interface. `file:` and `${}` keep secrets out of the text;
 * who wrote one into it all the same shall not find it in an answer or a log.
 */

/** A scalar behind a secret's key, flow or block style, quoted or not; a reference is no secret and stays. */
const SECRET_KEYS = /((?:^|[\s{,"'])(?:token|readToken|password)["']?[ \t]*:[ \t]+)(?!file:|["']file:|\$\{|["']\$\{|none\b)("(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|[^\s,}\]#][^,}\]\n]*)/gm;

/** The password in a store's URL; a reference is none. */
const URL_PASSWORD = /((?:rediss?|sentinel|cluster):\/\/[^:@/\s"']*:)(?!\$\{)([^@/\s"']+)(?=@)/g;

/** `text` with `mask` of each secret in its place. */
export function maskSecrets(text: string, mask: (secret: string) => string): string {
  const put = (_all: string, before: string, secret: string): string => before + mask(secret);
  return text.replace(SECRET_KEYS, put).replace(URL_PASSWORD, put);
}
