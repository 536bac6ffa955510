// Runs Espressif's esptool-js, unmodified, on a virtual chip that is reached over TCP or RFC 2217.
//
// esptool-js is made for browsers: it asks for a Web Serial port.  Here is what it needs of one, in Node.js.
//   node esptool_js_client.mjs MODULE PORT JOB
// MODULE is esptool-js's index.js, PORT a URL, JOB JSON: stub, baud, address, write (file), back (file).
// The answer is one line of JSON, the last one of stdout: esptool-js prints to the console.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { pathToFileURL } from "node:url";

const IAC = 255, SE = 240, SB = 250, WILL = 251, DO = 253, BINARY = 0, COM_PORT = 44; // RFC 854, RFC 2217
const SET_BAUD = 1, SET_CONTROL = 5, DTR_ON = 8, DTR_OFF = 9, RTS_ON = 11, RTS_OFF = 12;
const ANSWER = 100; // what a server adds to the number of a request
const PATIENCE = 20_000;

// Takes Telnet's commands out of a stream, and tells of each answer to a request of RFC 2217.
class Telnet {
  state = "data";
  sub = [];

  constructor(answered) {
    this.answered = answered;
  }

  plain(bytes) {
    const out = [];
    for (const byte of bytes) {
      if (this.state === "data") {
        if (byte === IAC) this.state = "command";
        else out.push(byte);
      } else if (this.state === "command") {
        if (byte === IAC) out.push(byte);
        this.state = byte === SB ? "sub" : byte >= WILL && byte < IAC ? "option" : "data";
        this.sub = [];
      } else if (this.state === "option") {
        this.state = "data";
      } else if (this.state === "sub") {
        if (byte === IAC) this.state = "end";
        else this.sub.push(byte);
      } else if (byte === SE) {
        if (this.sub[0] === COM_PORT) this.answered(this.sub[1]);
        this.state = "data";
      } else {
        this.sub.push(byte);
        this.state = "sub";
      }
    }
    return Uint8Array.from(out);
  }
}

const escaped = (bytes) => Uint8Array.from([...bytes].flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte])));

// What esptool-js uses of a Web Serial port.  Plain TCP has no speed and no lines, like a port without them.
class BridgedPort {
  readable = null;
  writable = null;
  waiting = [];

  constructor(url) {
    this.url = new URL(url);
    this.rfc2217 = this.url.protocol === "rfc2217:";
  }

  getInfo() {
    return {};
  }

  async open({ baudRate }) {
    const socket = net.connect(Number(this.url.port), this.url.hostname);
    this.socket = socket;
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.setNoDelay(true);
    const telnet = new Telnet((command) => this.answered(command));
    this.readable = new ReadableStream({
      start: (stream) => {
        socket.on("data", (data) => {
          const bytes = this.rfc2217 ? telnet.plain(data) : Uint8Array.from(data);
          if (bytes.length) stream.enqueue(bytes);
        });
        socket.on("error", (error) => stream.error(error));
        socket.on("end", () => stream.close());
      },
      cancel: () => {},
    });
    this.writable = new WritableStream({
      write: (bytes) => this.send(this.rfc2217 ? escaped(bytes) : bytes),
    });
    if (this.rfc2217) {
      await this.send(Uint8Array.from([BINARY, COM_PORT].flatMap((option) => [IAC, WILL, option, IAC, DO, option])));
      await this.setBaudRate(baudRate);
    }
  }

  send(bytes) {
    return new Promise((resolve, reject) =>
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve())),
    );
  }

  answered(command) {
    const found = this.waiting.findIndex((one) => one.command === command);
    if (found >= 0) this.waiting.splice(found, 1)[0].done();
  }

  // The server answers each request when it is done.
  async request(command, ...values) {
    const answer = new Promise((done, failed) => {
      this.waiting.push({ command: command + ANSWER, done });
      setTimeout(failed, PATIENCE, new Error(`no answer to ${command}`)).unref();
    });
    await this.send(Uint8Array.from([IAC, SB, COM_PORT, command, ...escaped(values), IAC, SE]));
    await answer;
  }

  // Without this esptool-js closes the port and opens it again for another speed, which resets the chip.
  async setBaudRate(baud) {
    if (this.rfc2217) {
      await this.request(SET_BAUD, (baud >>> 24) & 255, (baud >>> 16) & 255, (baud >>> 8) & 255, baud & 255);
    }
  }

  async setSignals({ dataTerminalReady, requestToSend }) {
    if (!this.rfc2217) return;
    if (dataTerminalReady !== undefined) await this.request(SET_CONTROL, dataTerminalReady ? DTR_ON : DTR_OFF);
    if (requestToSend !== undefined) await this.request(SET_CONTROL, requestToSend ? RTS_ON : RTS_OFF);
  }

  async close() {
    this.readable = this.writable = null;
    this.socket.destroy();
  }
}

const hex = (bytes) => createHash("md5").update(bytes).digest("hex");

async function run(module, url, job) {
  const { ESPLoader, Transport } = await import(pathToFileURL(module));
  const said = [];
  const terminal = { clean() {}, write: (line) => said.push(line), writeLine: (line) => said.push(line) };
  const transport = new Transport(new BridgedPort(url), false);
  const loader = new ESPLoader({ transport, baudrate: job.baud, romBaudrate: 115200, terminal });
  // Where there are no lines, the chip waits in its loader from the connection on.
  const before = url.startsWith("rfc2217") ? "default_reset" : "no_reset";
  const answer = {};
  if (job.stub) {
    await loader.main(before);
  } else {
    await loader.detectChip(before);
    await loader.flashBegin(0, 0); // attaches the flash
  }
  answer.chip = loader.chip.CHIP_NAME;
  answer.mac = await loader.chip.readMac(loader);
  answer.flash = await loader.readFlashId();
  if (job.write) {
    const data = Uint8Array.from(readFileSync(job.write));
    await loader.writeFlash({
      fileArray: [{ data, address: job.address }],
      flashMode: "keep",
      flashFreq: "keep",
      flashSize: "keep",
      eraseAll: false,
      compress: job.stub,
      calculateMD5Hash: job.stub ? hex : undefined,
    });
    if (job.stub) {
      answer.same = (await loader.flashMd5sum(job.address, data.length)) === hex(data);
      writeFileSync(job.back, await loader.readFlash(job.address, data.length));
    }
  }
  answer.said = said.join("\n");
  await transport.disconnect();
  return answer;
}

const [module, url, job] = process.argv.slice(2);
console.log(`\n${JSON.stringify(await run(module, url, JSON.parse(job)))}`);
process.exit(0);
