// A provider as others run it: npm's oidc-provider, for programs that come with a secret of their own. Prints one line of JSON,
// what it is called and a token by each kind of key, and serves until its standard input ends.
const { generateKeyPairSync } = require("node:crypto");
const { createServer } = require("node:http");
const { Provider } = require("oidc-provider");

const key = (alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
  kid: `key-${alg}`,
  use: "sig",
  alg,
});
const keys = [
  key("RS256", "rsa", { modulusLength: 2048 }),
  key("ES256", "ec", { namedCurve: "P-256" }),
  key("EdDSA", "ed25519", {}),
];
const algorithms = keys.map(({ alg }) => alg);
const secret = "a secret of the client's alone";

const settings = {
  jwks: { keys },
  clients: [
    {
      client_id: "ada",
      client_secret: secret,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  enabledJWA: { idTokenSigningAlgValues: algorithms },
  extraTokenClaims: () => ({ realm_access: { roles: ["offline_access", "operator"] } }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // A resource for each kind of key: https://hub.example/RS256 and so on.
      getResourceServerInfo: (_, resource) => ({
        scope: "",
        audience: "pingup",
        accessTokenTTL: 300,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: new URL(resource).pathname.slice(1) } },
      }),
    },
  },
};

async function token(issuer, alg) {
  const answer = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`ada:${encodeURIComponent(secret)}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: `https://hub.example/${alg}` }),
  });
  const { access_token: text, ...rest } = await answer.json();
  if (!text) throw new Error(JSON.stringify(rest));
  return text;
}

let serve;
const server = createServer((request, response) => serve(request, response));
server.listen(0, "127.0.0.1", async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  serve = new Provider(issuer, settings).callback();
  const tokens = {};
  for (const alg of algorithms) tokens[alg] = await token(issuer, alg);
  console.log(JSON.stringify({ issuer, tokens }));
});
process.stdin.on("end", () => process.exit(0)).resume();
