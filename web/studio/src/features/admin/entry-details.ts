// What an entry of the audit log says beside its reason: the request and the state before, in words.
import { useQuery } from "urql";
import { useText } from "../../app/locale.tsx";
import type { EntryPartsFragment } from "../../gql/admin.ts";
import { OffersDocument } from "../../gql/graphql.ts";
import { admin } from "../../locales/admin.ts";
import { adminAudit } from "../../locales/admin-audit.ts";
import { useFormat, type Format } from "./format.ts";

type Detail = Readonly<Record<string, unknown>>;
type Texts = {
  readonly t: typeof adminAudit.en;
  readonly desk: typeof admin.en;
  readonly format: Format;
  /** The title of a plan, by its slug. */
  readonly planOf: (slug: unknown) => string;
};
type Words = (detail: Detail, texts: Texts) => readonly (string | false | null)[];

const nothing: Words = () => [];
const byName = (names: Readonly<Record<string, string>>, name: unknown): string => names[String(name)] ?? String(name);
const payment: Words = ({ order, product, problem }, { t, planOf }) => [
  problem != null && String(problem),
  product != null && t.product(planOf(product)),
  order != null && t.order(String(order)),
];

const WORDS: Readonly<Record<string, Words>> = {
  ADJUST_CREDITS: ({ amount }, { t, format }) => [t.credits(format.signed(Number(amount)), Number(amount))],
  REFUND_GENERATION: ({ paidBy, credits }, { t, desk, format }) => [
    paidBy === "CREDITS" ? t.credits(format.signed(Number(credits)), Number(credits)) : t.paidBy(byName(desk.pictures.paid, paidBy)),
  ],
  RETRY_GENERATION: nothing,
  CANCEL_GENERATION: nothing,
  UNSHARE_GENERATION: ({ slug }, { t }) => [t.page(String(slug))],
  DELETE_GENERATION: ({ status, slug }, { t, desk }) => [
    t.was(byName(desk.pictures.statuses, status)),
    slug != null && t.page(String(slug)),
  ],
  SET_ROLE: ({ role, before }, { t, desk }) => [t.from(byName(desk.roles, before), byName(desk.roles, role))],
  SET_MEMBERSHIP: ({ isMember }, { t }) => [isMember ? t.granted : t.ended],
  GRANT_PASS: ({ plan, hours }, { t, planOf }) => [t.pass(planOf(plan), Number(hours))],
  GRANT_PLAN: ({ plan, months }, { t, planOf }) => [t.plan(planOf(plan), Number(months))],
  END_PLAN: ({ plan }, { planOf }) => [String(plan).split(", ").map(planOf).join(", ")],
  SET_SUSPENDED: ({ suspended, sessionsEnded }, { t }) => [
    suspended ? t.suspended : t.reinstated,
    Number(sessionsEnded) > 0 && t.sessions(Number(sessionsEnded)),
  ],
  SETTLE_PAYMENT: payment,
  DISMISS_PAYMENT: payment,
  CHANGE_EMAIL: (_, { t }) => [t.usedUp],
  CREATE_STYLE: ({ collection }, { t }) => [t.collection(String(collection))],
  UPDATE_STYLE: ({ changed, before, after }, { t }) => fieldsOf(changed, before, after, t),
  DELETE_STYLE: nothing,
  IMPORT_CATALOGUE: ({ created, updated, added, changed }, { t }) => [
    t.imported(Number(created), Number(updated)),
    ...someOf([
      ...(Array.isArray(added) ? added.map((slug) => t.added(String(slug))) : []),
      ...Object.entries((changed ?? {}) as Record<string, string[]>).map(([slug, names]) => t.value(slug, namesOf(names, t))),
    ]),
  ],
  SET_MAINTENANCE: ({ before, after }, texts) => switches((before ?? {}) as Detail, (after ?? {}) as Detail, texts),
  ENABLE_SECOND_FACTOR: nothing,
  DISABLE_SECOND_FACTOR: ({ by }, { t }) => [by != null && byName(t.removedBy, by)],
  USE_RECOVERY_CODE: nothing,
};

const SHOWN = 20; // lines of one import
const MAX_TEXT = 120; // characters of a value

const namesOf = (names: readonly string[], t: Texts["t"]): string => names.map((one) => byName(t.fields, one)).join(", ");
const someOf = (lines: readonly string[]): readonly string[] => (lines.length > SHOWN ? [...lines.slice(0, SHOWN), "…"] : lines);

/** The changed fields of a style, each with what was there before; earlier entries have only their names. */
function fieldsOf(changed: unknown, before: unknown, after: unknown, t: Texts["t"]): readonly string[] {
  const names = Array.isArray(changed) ? changed.map(String) : [];
  if (!before || !after) return [namesOf(names, t)];
  return names.map((name) => {
    const values = [before, after].map((state) => valueOf((state as Detail)[name], t)) as [string, string];
    return name === "picture" ? byName(t.fields, name) : t.value(byName(t.fields, name), t.from(...values));
  });
}

/** A text in all its languages, the variables by their names. */
function valueOf(value: unknown, t: Texts["t"]): string {
  let text = String(value ?? "");
  if (typeof value === "boolean") text = value ? t.yes : t.no;
  else if (Array.isArray(value)) text = value.map(({ name }: { name: string }) => name).join(", ");
  else if (value && typeof value === "object") text = Object.values(value).join(" / ");
  else if (typeof value === "string") text = byName(t.values, value);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text || "–";
}

function switches(before: Detail, after: Detail, { t, format }: Texts): (string | false)[] {
  const [off, wasOff] = [after, before].map(({ providers_off: names }) => (Array.isArray(names) ? names.map(String) : []));
  const cap = after["daily_spend_cap"];
  return [
    after["read_only"] !== before["read_only"] && (after["read_only"] ? t.readOnly : t.readOnlyEnded),
    ...(off ?? []).filter((name) => !wasOff?.includes(name)).map(t.switchedOff),
    ...(wasOff ?? []).filter((name) => !off?.includes(name)).map(t.switchedOn),
    cap !== before["daily_spend_cap"] && (cap == null ? t.noCap : t.cap(format.dollars(Number(cap)))),
  ];
}

/** An action that this page does not know yet is described by what was recorded. */
const asRecorded: Words = ({ reason: _, user: __, ...rest }) =>
  Object.entries(rest).map(([name, value]) => value != null && `${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`);

export function useDetails({ action, detail }: EntryPartsFragment): readonly string[] {
  const t = useText(adminAudit);
  const desk = useText(admin);
  const format = useFormat();
  const [{ data }] = useQuery({ query: OffersDocument });
  const planOf = (slug: unknown) => data?.plans.find((plan) => plan.slug === slug)?.title ?? String(slug);
  const words = WORDS[action] ?? asRecorded;
  return words(detail as Detail, { t, desk, format, planOf }).filter((one): one is string => Boolean(one));
}
