// A world of the stub, for one test: its URLs, its control plane, and its records.

import type { Page } from "@playwright/test";

import { at, callSite } from "./callSite.js";
import type { components as Contract, paths } from "./generated/contract.js";
import type { components as Control } from "./generated/control.js";

type Responses = paths["/clients/register"]["post"]["responses"];
type Schemas = Control["schemas"];

/** What the route returns; `status` tells which of them. */
export type Envelope = {
  [Code in keyof Responses]: Responses[Code] extends { content: { "application/json": infer Body } }
    ? Body
    : never;
}[keyof Responses];
export type Status = Envelope["status"];
export type Registration = Contract["schemas"]["Registration"];

/** A response to force: a status, a fault of the connection, or both, with a delay and a count. */
export type Item = Partial<Omit<Schemas["ItemInFull"], "slug">> & { slug?: Status };
export type Mail = Schemas["Mail"];
export type Entry = Schemas["Entry"];
export type Coverage = Schemas["Coverage"];
export type Faults = Partial<Schemas["Faults"]>;

/** Which mails: `to` an address, or caused by the `request` with this X-Request-Id. */
export interface MailFilter {
  to?: string;
  request?: string;
  /** Seconds to wait for the first one; at most 60. */
  wait?: number;
}

/** The control plane reported a problem; the message is the problem and its hint. */
export class ControlError extends Error {
  override name = "ControlError";
}

/** Responses that a test forced were never requested; the message names them. */
export class UnusedResponses extends Error {
  override name = "UnusedResponses";
}

/** Calls the control plane below `root`. Throws ControlError, with the stack of `site`. */
export async function callControl(
  root: string,
  token: string | undefined,
  site: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const url = `${root}/_mock${path}`;
  const failure = (problem: string) => at(new ControlError(`${method} ${url}: ${problem}`), site);
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) }).catch((error) => {
    throw failure(`no response: ${error.cause?.message ?? error.message}`);
  });
  const text = await response.text();
  if (response.headers.has("Mock-Error")) {
    const { detail, hint } = JSON.parse(text) as Schemas["Problem"];
    throw failure(`${detail}. ${hint}`);
  }
  if (!response.ok) {
    throw failure(`found the code ${response.status}: ${text.slice(0, 500)}`);
  }
  return text === "" ? undefined : JSON.parse(text);
}

/** The URLs of a world. */
export interface Urls {
  /** The URL of the world, for programs that append the whole path of a route to it. */
  root: string;
  /** The base URL of the API, such as http://127.0.0.1:4018/_world/my-test/api/v1. */
  base: string;
  /** The URL of the route. */
  url: string;
}

/** An isolated world, with its own clients, clock, script, mails, request log and coverage. */
export class World implements Urls {
  readonly root: string;
  readonly base: string;
  readonly url: string;
  private forced: { count: number; site: string } | undefined;

  constructor(
    readonly name: string,
    urls: Urls,
    private readonly token?: string,
  ) {
    ({ root: this.root, base: this.base, url: this.url } = urls);
  }

  /** Calls the control plane, such as `control("PUT", "/faults", { mail_failures: 1 })`. */
  control(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.call(callSite(this.control), method, path, body);
  }

  /**
   * Sends the registrations of `page` to this world, whatever base URL the page was built with. `route`
   * matches their URLs.
   */
  async intercept(page: Page, route: string | RegExp = "**/clients/register"): Promise<void> {
    await page.route(route, async (intercepted) => {
      const response = await intercepted.fetch({ url: this.url, maxRedirects: 0 }).catch(() => undefined);
      // The response was broken on purpose, or the page has been closed.
      await (response ? intercepted.fulfill({ response }) : intercepted.abort("connectionreset")).catch(() => {});
    });
  }

  /**
   * Scripts the next responses: statuses, or items such as `{ fault: "reset" }`. Replaces the previous
   * script. In a test that passes, each item has to be used by at least one request.
   */
  async force(...items: (Status | Item)[]): Promise<void> {
    const site = callSite(this.force);
    await this.call(site, "PUT", "/next", items);
    this.forced = { count: items.length, site };
  }

  /** Throws UnusedResponses, at the latest call of `force`, if an item was used by no request. */
  async checkForced(): Promise<void> {
    const { forced } = this;
    this.forced = undefined;
    if (forced === undefined) return;
    const left = (await this.call(forced.site, "GET", "/next")) as Schemas["ItemLeft"][];
    const unused = left.filter(({ used }) => used === 0).map(({ slug, fault }) => slug ?? fault ?? "a delay");
    if (!unused.length) return;
    const path = this.url.slice(this.root.length);
    const received = (await this.requests()).filter((entry) => entry.method === "POST" && entry.path === path);
    const hint = received.length
      ? "clear the rest with force() where that is intended"
      : `does the page use the base URL ${this.base}? intercept(page) sends it there`;
    throw at(
      new UnusedResponses(
        `no request used ${unused.length} of ${forced.count} forced responses: ${unused.join(", ")}.` +
          ` Requests to ${path} in this world: ${received.length}; ${hint}`,
      ),
      forced.site,
    );
  }

  /** Sets the faults of the server, such as `{ mail_failures: 1 }`; those left out are reset. */
  async setFaults(faults: Faults): Promise<void> {
    await this.call(callSite(this.setFaults), "PUT", "/faults", faults);
  }

  /** Saves this world as a snapshot, and returns its name. */
  async save(snapshot: string): Promise<string> {
    await this.call(callSite(this.save), "PUT", `/snapshots/${encodeURIComponent(snapshot)}`);
    return snapshot;
  }

  /** Restores a snapshot, or the initial state; empties the request log. */
  async restore(snapshot?: string): Promise<void> {
    await this.call(callSite(this.restore), "POST", "/reset", snapshot === undefined ? {} : { snapshot });
    this.forced = undefined;
  }

  /** Advances the time by an ISO 8601 duration, such as P8D. */
  async advanceClock(duration: string): Promise<void> {
    await this.call(callSite(this.advanceClock), "PUT", "/clock", { advance: duration });
  }

  /** Sets the time, with a time zone; it runs on unless it is frozen. */
  async setClock(now: string | Date, { frozen = false } = {}): Promise<void> {
    const time = now instanceof Date ? now.toISOString() : now;
    await this.call(callSite(this.setClock), "PUT", "/clock", { now: time, frozen });
  }

  /** Returns the mails, oldest first; none if none arrives within the time to wait. */
  outbox(filter: MailFilter = {}): Promise<Mail[]> {
    return this.call(callSite(this.outbox), "GET", `/outbox${query(filter)}`) as Promise<Mail[]>;
  }

  /** Returns the latest mail. Throws ControlError if none arrives within the time to wait. */
  latestMail(filter: MailFilter = {}): Promise<Mail> {
    const path = `/outbox/latest${query({ wait: 5, ...filter })}`;
    return this.call(callSite(this.latestMail), "GET", path) as Promise<Mail>;
  }

  /** Returns the request log, oldest first, with an explanation of each response. */
  requests(): Promise<Entry[]> {
    return this.call(callSite(this.requests), "GET", "/requests") as Promise<Entry[]>;
  }

  /** Returns how often each status was returned, by the rules and forced. */
  coverage(): Promise<Coverage> {
    return this.call(callSite(this.coverage), "GET", "/coverage") as Promise<Coverage>;
  }

  /** Sends a registration, such as one that a test needs to be there before. */
  async register(registration: Registration, headers: Record<string, string> = {}): Promise<Envelope> {
    const body = Buffer.from(JSON.stringify(registration)).toString("base64");
    const response = await fetch(this.url, {
      method: "POST",
      headers: { "Content-Type": "text/plain", ...headers },
      body,
    });
    return (await response.json()) as Envelope;
  }

  /** Summarizes the request log, one line per request. */
  async summarize(): Promise<string> {
    const lines = (await this.requests()).map(
      ({ method, path, code, status, explanation }) =>
        `${method} ${path} -> ${code} ${status}: ${explanation.summary}`,
    );
    return lines.join("\n") || "no requests";
  }

  private call(site: string, method: string, path: string, body?: unknown): Promise<unknown> {
    return callControl(this.root, this.token, site, method, path, body);
  }
}

function query(filter: MailFilter): string {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}
