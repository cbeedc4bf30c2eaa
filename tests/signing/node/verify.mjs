// Verifies license keys with the jose library: {keySet, tokens} on standard input, [{claims} or {refused}] on standard output.
import { createLocalJWKSet, jwtVerify } from "jose";
import { readFileSync } from "node:fs";

const { keySet, tokens, now } = JSON.parse(readFileSync(0, "utf8"));
const keys = createLocalJWKSet(keySet);
const options = { algorithms: ["EdDSA"], typ: "license+jwt", currentDate: new Date(now * 1000) };
const answers = [];
for (const token of tokens) {
  try {
    answers.push({ claims: (await jwtVerify(token, keys, options)).payload });
  } catch (problem) {
    answers.push({ refused: problem.code });
  }
}
process.stdout.write(JSON.stringify(answers));
