// What a verifier has to be told, checked.
//
// The surprise: an option of an unknown name is an error. A misspelt `onStale` would be a policy that nobody chose.

/**
 * The bounds that make sense, in milliseconds: a node tells four times a second that nothing is new, and after a minute
 * nobody calls it a log-out.
 */
const BOUNDS = [500, 60_000];
const POLICIES = ["refuse", "introspect", "accept"];

/** What is taken where nothing is said. */
const DEFAULTS = {
  issuer: "doorward",
  realm: "main",
  bound: 1000,
  onStale: "refuse",
  /** At about 90 bytes each; a Map holds 16.7 million at most. */
  maxEnded: 4 * 1024 * 1024,
  /** At about 2 KiB each. */
  maxRemembered: 20_000,
  maxIntrospections: 64,
  logger: console,
};
const REQUIRED = ["url", "clientId", "clientSecret"];
const TEXTS = [...REQUIRED, "issuer", "realm"];
/** How much may be asked for. */
const MOST = { maxEnded: 16_000_000, maxRemembered: 1_000_000, maxIntrospections: 10_000 };

/**
 * The settings with their defaults, and `url` as a URL. Throws a TypeError with a hint.
 * @param {import("../index.js").Settings} given
 */
export function check(given) {
  const said = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  const settings = { ...DEFAULTS, ...Object.fromEntries(said) };
  for (const name of Object.keys(settings)) {
    if (!Object.hasOwn(DEFAULTS, name) && !REQUIRED.includes(name)) {
      throw fault(`there is no option ${name}`, `one of ${[...REQUIRED, ...Object.keys(DEFAULTS)].join(", ")}`);
    }
  }
  for (const name of TEXTS) {
    if (typeof settings[name] !== "string" || settings[name] === "") {
      throw fault(`${name} is no text`, TEXT_HINTS[name]);
    }
  }
  const { bound, logger } = settings;
  if (typeof bound !== "number" || !(bound >= BOUNDS[0] && bound <= BOUNDS[1])) {
    throw fault(`the bound ${bound} is none`, `take ${BOUNDS[0]} to ${BOUNDS[1]} milliseconds`);
  }
  if (!POLICIES.includes(settings.onStale)) {
    throw fault(`onStale ${JSON.stringify(settings.onStale)} is no policy`, `one of ${POLICIES.join(", ")}`);
  }
  for (const [name, most] of Object.entries(MOST)) {
    if (!Number.isSafeInteger(settings[name]) || settings[name] < 1 || settings[name] > most) {
      throw fault(`${name} ${settings[name]} is no limit`, `take 1 to ${most}`);
    }
  }
  // Else it is found out when the feed is lost.
  if (![logger?.info, logger?.warn].every((says) => typeof says === "function")) {
    throw fault("the logger is none", "give one with `info` and `warn`, such as console");
  }
  return { ...settings, url: address(settings.url) };
}

const TEXT_HINTS = {
  url: "where doorward is, as in https://auth.example.com",
  clientId: "`doorward client add NAME` prints it",
  clientSecret: "`doorward client add NAME` prints it, once",
  issuer: "the server's setting `issuer`",
  realm: "the realm of the tokens",
};

function address(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    // Without the text, which may have a secret in it.
    throw fault("the url is no URL", TEXT_HINTS.url);
  }
  const isPlain = !url.username && !url.password && !url.search && !url.hash;
  if (!["http:", "https:"].includes(url.protocol) || !isPlain) {
    throw fault("the url is no address of a server", TEXT_HINTS.url);
  }
  return url;
}

function fault(what, hint) {
  return new TypeError(`${what}\nhint: ${hint}`);
}
