// Reads a command a line on standard input, and writes its answer as a line of JSON.
const { RouterOSAPI } = require("node-routeros");
const readline = require("node:readline");

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

async function main() {
  let api = null;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    try {
      if (api === null) {
        api = new RouterOSAPI({ ...asked, timeout: 5 });
        await api.connect();
        say({ rows: [] });
      } else {
        say({ rows: await api.write(asked) });
      }
    } catch (error) {
      say({ error: error.message });
    }
  }
  if (api !== null) await api.close();
}

main();
