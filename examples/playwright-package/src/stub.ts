// A running stub, started here or elsewhere, which provides worlds for tests.

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";

import { callSite } from "./callSite.js";
import { callControl, type Urls, World } from "./world.js";

export interface StubOptions {
  /** The origin or base URL of a stub that runs already, such as http://127.0.0.1:4018. */
  url?: string;
  /** The control token of that stub, if it has one; by default CLIENTS_REGISTER_CONTROL_TOKEN. */
  token?: string;
  /** The command to start one with; by default `clients-register`. */
  command?: string[];
  /** More options of `clients-register serve`, such as `["--seed", "tests/people.yaml"]`. */
  serve?: string[];
}

/** The stub did not start, or does not respond; the message says what to do next. */
export class StubError extends Error {
  override name = "StubError";
}

/** How long the stub may take to start and to stop, in milliseconds. */
const TIMEOUT = 60_000;

/** Characters of the title of a test in the name of its world, which has at most 64. */
const MAX_NAME = 48;

/** How much of the stub's error output is kept, in characters. */
const MAX_ERRORS = 10_000;

export class Stub implements Urls {
  readonly root: string;
  readonly base: string;
  readonly url: string;

  private constructor(
    private readonly server: string,
    health: Health,
    private readonly token: string | undefined,
    private readonly child?: ChildProcess,
  ) {
    ({ root: this.root, base: this.base, url: this.url } = urls(server, server, health));
  }

  /** Starts a stub, or uses the one of `options.url`. Throws StubError. */
  static async open({ url, token, command = ["clients-register"], serve = [] }: StubOptions): Promise<Stub> {
    token ??= process.env.CLIENTS_REGISTER_CONTROL_TOKEN;
    const [server, child] = url ? [await findServer(url)] : await start(command, serve);
    try {
      return new Stub(server, await readHealth(server, token, callSite(Stub.open)), token, child);
    } catch (error) {
      await stop(child);
      throw error;
    }
  }

  /** Stops the stub if it was started here. */
  close(): Promise<void> {
    return stop(this.child);
  }

  /** Creates a world, named after `title`, from the initial state or a snapshot. */
  async createWorld(title: string, snapshot?: string): Promise<World> {
    const site = callSite(this.createWorld);
    const prefix = title.replace(/[^A-Za-z0-9_]+/g, "-").slice(0, MAX_NAME).replace(/^-+|-+$/g, "");
    // Others may run the same tests against the same stub.
    const name = `${prefix}-${randomBytes(4).toString("hex")}`;
    const source = snapshot === undefined ? {} : { snapshot };
    await callControl(this.server, this.token, site, "PUT", `/worlds/${name}`, source);
    const root = `${this.server}/_world/${name}`;
    return new World(name, urls(this.server, root, await readHealth(root, this.token, site)), this.token);
  }

  /** Deletes a world and everything in it. */
  async deleteWorld({ name }: World): Promise<void> {
    await callControl(this.server, this.token, callSite(this.deleteWorld), "DELETE", `/worlds/${name}`);
  }
}

interface Health {
  base: string;
  route: string;
}

const readHealth = async (root: string, token: string | undefined, site: string) =>
  (await callControl(root, token, site, "GET", "/health")) as Health;

const urls = (server: string, root: string, { base, route }: Health): Urls => ({
  root,
  base: server + base,
  url: server + route,
});

/** Returns the URL below which the stub of `url` has its paths. Throws StubError. */
async function findServer(url: string): Promise<string> {
  let found = "no URL with http:// or https://";
  // A base URL has a path, which may also be that of a reverse proxy before the stub.
  const candidates = URL.canParse(url) ? new Set([new URL(url).origin, url.replace(/\/+$/, "")]) : [];
  for (const server of candidates) {
    try {
      const response = await fetch(`${server}/_mock/health`);
      const health = await response.json().catch(() => undefined);
      if (response.headers.has("Mock-Error") || typeof health?.base === "string") return server;
      found = `a response with the code ${response.status} at ${server}/_mock/health`;
    } catch (error) {
      found = `none (${((error as Error).cause as Error | undefined)?.message ?? (error as Error).message})`;
      break;
    }
  }
  throw new StubError(
    `expected a stub at ${url}, found ${found}; start it with \`clients-register serve\`, or leave out the` +
      " URL to have one started",
  );
}

/** Starts a stub; returns its origin and its process. Throws StubError. */
async function start(command: string[], more: string[]): Promise<[string, ChildProcess]> {
  const [program = "", ...rest] = command;
  const options = ["--no-reference", "--memory", "--host", "127.0.0.1", "--port", "0"];
  // The stub ends with this process, however that ends. Windows cannot do this.
  const end = process.platform === "win32" ? [] : ["--stop-on-eof"];
  const child = spawn(program, [...rest, "serve", ...options, ...end, ...more]);
  let errors = "";
  // Read to the end, because the stub would wait for a reader.
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-MAX_ERRORS);
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT);
  try {
    const origin = await new Promise<string>((resolve, reject) => {
      child.on("error", (error) =>
        reject(
          new StubError(
            `expected the command ${program}, found none (${error.message}); install it with \`python -m` +
              ' pip install clients-register`, or set `command`, such as ["uvx", "clients-register"]',
          ),
        ),
      );
      child.on("close", (code, signal) =>
        reject(new StubError(`the stub did not start: ${errors.trim() || `exit ${code ?? signal}`}`)),
      );
      createInterface(child.stdout).on("line", (line) => {
        const [, origin] = /^\s+listening\s+(http:\/\/[^/\s]+)/.exec(line) ?? [];
        if (origin) resolve(origin);
      });
    });
    return [origin, child];
  } finally {
    clearTimeout(timer);
  }
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT);
  child.kill();
  await ended;
  clearTimeout(timer);
}
