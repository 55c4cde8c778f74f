// A service with the verifier for Node and nothing else: it answers what the verifier says of a token.
//
// The surprise: it takes the package from where it lies, so that nothing has to be installed. It ends with its standard
// input, so that it is not left behind when a test dies.

import { createServer } from "node:http";

const [place, url, clientId] = process.argv.slice(2);
const { Refusal, Verifier } = await import(place);
const verifier = Verifier.connect({ url, clientId, clientSecret: process.env.SERVICE_CLIENT_SECRET });

const server = createServer(async (req, res) => {
  try {
    await verifier.verify(req.headers.authorization.slice("Bearer ".length));
    res.end("good");
  } catch (error) {
    res.end(error instanceof Refusal ? error.reason : String(error));
  }
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));

process.stdin.on("end", () => process.exit()).resume();
