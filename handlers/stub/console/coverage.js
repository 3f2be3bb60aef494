// The statuses that callers of this world have met, as a ring with one segment per status.

import { control, here, read, tell } from "./api.js";
import { codeBadge } from "./answer.js";
import { copier, dangerous, find, h, say, svg } from "./dom.js";
import { showMet } from "./statuses.js";

const [SIZE, OUTER, INNER] = [220, 104, 76];
const WORDS = { natural: "met naturally", forced: "met only when forced", never: "not met" };

let statuses = [];

export function start(known) {
  statuses = known;
  const gate = `curl -fsS '${here.mock}/coverage?require=common'`;
  find("#gate").textContent = gate;
  find("#coverage-tools").append(
    dangerous("Clear", "Clear the coverage?", async () => {
      await control("DELETE", "coverage");
      say("The coverage was cleared.");
      tell("state");
    }),
  );
  find("#gate-tools").append(copier(() => gate, "the command for CI"));
  find("#sum").hidden = here.name !== "default";
}

export const refresh = () => read(["coverage"], show);

function show(report) {
  showMet(report.statuses);
  const counted = new Map(report.statuses.map((each) => [each.slug, each]));
  const groups = byCode(statuses, counted);
  find("#ring").replaceChildren(ring(report, groups.flatMap(([, members]) => members)));
  find("#coverage-text").replaceChildren(...groups.map(group));
  find("#met").textContent = `${report.met} / ${report.of}`;
}

const own = ({ natural, forced }) => (natural ? "natural" : forced ? "forced" : "never");

// Both spellings of a status count as met together.
const kindOf = ({ other, ...counts }) => (own(counts) === "never" && other ? own(other) : own(counts));

function spelledOtherwise({ slug, alias_of }, counted) {
  const other = alias_of ?? statuses.find((each) => each.alias_of === slug)?.slug;
  return other ? counted.get(other) : null;
}

function byCode(known, counted) {
  const groups = new Map();
  for (const status of known) {
    const { slug, code } = status;
    if (!groups.has(code)) groups.set(code, []);
    groups.get(code).push({ code, ...counted.get(slug), other: spelledOtherwise(status, counted) });
  }
  return [...groups].sort(([one], [other]) => one - other);
}

/** Draws the ring. The list has the same content, so screen readers see the ring as one image. */
function ring({ met, of }, pieces) {
  const codes = new Set(pieces.map((piece) => piece.code)).size;
  const [gap, between] = [1.6, 7];
  const each = (360 - pieces.length * gap - codes * between) / pieces.length;
  const drawn = [];
  let angle = -90;
  pieces.forEach((piece, index) => {
    if (index && pieces[index - 1].code !== piece.code) angle += between;
    const kind = kindOf(piece);
    const arc = svg("path", { d: slice(angle, angle + each), class: `piece ${kind}`, "data-slug": piece.slug });
    arc.append(svg("title", {}, `${piece.slug}: ${WORDS[kind]}`));
    drawn.push(arc);
    angle += each + gap;
  });
  const stripes = svg("pattern", { id: "stripes", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, class: "stripe-back" }), svg("rect", { width: 3, height: 6, class: "stripe" }));
  return svg(
    "svg",
    { viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}`, role: "img", "aria-label": `${met} of ${of} statuses met` },
    svg("defs", {}, stripes),
    ...drawn,
    svg("text", { class: "count", y: 6 }, String(met)),
    svg("text", { class: "of", y: 28 }, `of ${of} met`),
  );
}

function slice(from, to) {
  const at = (radius, angle) => {
    const turned = (angle * Math.PI) / 180;
    return `${(radius * Math.cos(turned)).toFixed(2)} ${(radius * Math.sin(turned)).toFixed(2)}`;
  };
  return `M${at(OUTER, from)} A${OUTER} ${OUTER} 0 0 1 ${at(OUTER, to)} L${at(INNER, to)} A${INNER} ${INNER} 0 0 0 ${at(INNER, from)}Z`;
}

function group([code, members]) {
  const met = members.filter((each) => kindOf(each) !== "never").length;
  return h(
    "section",
    { class: "group" },
    h("h3", {}, codeBadge(code), h("span", { class: "quiet" }, `${met} of ${members.length}`)),
    h(
      "ul",
      {},
      members.map((each) =>
        h(
          "li",
          { "data-met": kindOf(each) },
          h("span", { class: "swatch", "aria-hidden": "true" }),
          h("span", { class: "slug" }, each.slug),
          h("span", { class: "number quiet" }, counts(each)),
        ),
      ),
    ),
  );
}

const counts = (each) => {
  const { natural, forced } = each;
  const times = [natural ? `${natural} natural` : "", forced ? `${forced} forced` : ""].filter(Boolean);
  return times.join(", ") || (kindOf(each) === "never" ? "not met" : "in its other spelling");
};
