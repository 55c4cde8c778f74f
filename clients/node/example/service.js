// A service of one's own, whose callers sign in with doorward.
//
// `SERVICE_CLIENT_SECRET=… node service.js http://127.0.0.1:8080 CLIENT_ID` serves at a free port and prints it; a
// third argument says what to do while the feed is silent. The surprise: `/readyz` is the service's own. Whether it is
// ready while it cannot tell who has logged out is for it to decide, and here it is not.

import { Verifier, requireSession } from "doorward-verify";
import express from "express";

const [url, clientId, onStale = "refuse"] = process.argv.slice(2);
const verifier = Verifier.connect({ url, clientId, clientSecret: process.env.SERVICE_CLIENT_SECRET, onStale });

const app = express();
app.get("/", (req, res) => res.type("text").send("anybody may read this\n"));
app.get("/me", requireSession(verifier), (req, res) => {
  res.type("text").send(`account ${req.auth.sub}, session ${req.auth.sid}\n`);
});
app.get("/readyz", (req, res) => {
  const state = verifier.state();
  res.status(state.fresh ? 200 : 503).json(state);
});

const server = app.listen(Number(process.env.PORT ?? 0), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
