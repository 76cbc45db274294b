// A program with one of Box's SDKs for Node, which knows nothing of tokens: it uploads
// a file, lists the root and downloads the file again. Its argument is which SDK.
const token = "<everbearer>";

const agent = { "User-Agent": "a program that was tried" };

async function typed({ BoxClient, BoxDeveloperTokenAuth }, configured = (client) => client) {
  const auth = new BoxDeveloperTokenAuth({ token });
  const client = configured(new BoxClient({ auth }));
  const content = "uploaded by Node";
  const { Readable } = require("node:stream");
  const { entries: [file] } = await client.uploads.uploadFile({
    attributes: { name: "node.txt", parent: { id: "0" } },
    file: Readable.from(Buffer.from(content)),
  });
  const items = await client.folders.getFolderItems("0");
  const back = await client.downloads.downloadFile(file.id);
  return [items.entries, await text(back), content];
}

async function manual({ default: BoxSDK }) {
  const sdk = new BoxSDK({ clientID: "", clientSecret: "" });
  sdk.configure({ request: { headers: agent } });
  const client = sdk.getBasicClient(token);
  const content = "uploaded by Node";
  const { entries: [file] } = await client.files.uploadFile(
    "0", "node.txt", Buffer.from(content));
  const items = await client.folders.getItems("0");
  const back = await client.files.getReadStream(file.id);
  return [items.entries, await text(back), content];
}

async function text(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

const SDKS = {
  "box-node-sdk": () => typed(require("box-node-sdk")),
  // The two by which the Box CLI sends, configured as it does where --token is given.
  "box-node-sdk 4, manual": () => manual(require("box-node-sdk-4")),
  "box-node-sdk 4, typed": () => typed(
    require("box-node-sdk-4/sdk-gen"),
    (client) => client.withCustomBaseUrls({
      baseUrl: "https://api.box.com",
      uploadUrl: "https://upload.box.com/api",
      oauth2Url: "https://account.box.com/api/oauth2",
    }).withExtraHeaders(agent),
  ),
};

SDKS[process.argv[2]]().then(([items, back, content]) => {
  const names = items.map((item) => item.name);
  console.log(JSON.stringify({ items: names, same: back === content }));
});
