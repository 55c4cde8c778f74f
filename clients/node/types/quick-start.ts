// The quick start of README.md in TypeScript, word for word; `test/types.test.js` compares them.

import { Verifier, requireSession } from "doorward-verify";
import express from "express";

// `connect` refuses an empty text and says which one it is.
const { SERVICE_CLIENT_ID: clientId = "", SERVICE_CLIENT_SECRET: clientSecret = "" } = process.env;
const verifier = Verifier.connect({ url: "https://auth.example.com", clientId, clientSecret });

const app = express();
app.get("/me", requireSession(verifier), (req, res) => {
  // The compiler does not know which routes are behind `requireSession`, so `auth` may be undefined to it.
  if (!req.auth) throw new Error("requireSession is missing");
  res.send(`account ${req.auth.sub}`);
});
app.listen(3000);
