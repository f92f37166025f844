// What admins do with an account: each act is a dialog that says what follows.
import { useState } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { fieldStyle, TextField } from "../../components/field.tsx";
import { Select } from "../../components/select.tsx";
import {
  AdjustCreditsDocument,
  DeskOffersDocument,
  EndPlanDocument,
  GrantPassDocument,
  GrantPlanDocument,
  SetMembershipDocument,
  SetRoleDocument,
  SetSuspendedDocument,
  type DeskOffersQuery,
  type PersonQuery,
  type Role,
} from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { adminActs } from "../../locales/admin-acts.ts";
import { ActDialog, type Given } from "./act-dialog.tsx";
import { useFormat } from "./format.ts";
import { useRead } from "./read.ts";
import style from "./admin.module.css";

export type Person = NonNullable<NonNullable<PersonQuery["admin"]>["user"]>;

const ACTS = ["adjust", "pass", "plan", "endPlan", "member", "noMember", "role", "suspend", "reinstate"] as const;
type Act = (typeof ACTS)[number];

export const nameOf = (person: { id: string; email?: string | null; name?: string | null }) => person.email ?? person.name ?? person.id;

type Kind = "PASS" | "SUBSCRIPTION";

/** The acts that can have an effect, as far as the account and the offers say; whether they are allowed, the API decides. */
function actsFor(person: Person, viewer: { id: string; role: string } | null | undefined, isOffered: (kind: Kind) => boolean): Act[] {
  const isMe = person.id === viewer?.id;
  const isShown: Record<Act, boolean> = {
    adjust: true,
    pass: isOffered("PASS"),
    plan: !person.membership?.plan && isOffered("SUBSCRIPTION"),
    endPlan: Boolean(person.membership?.plan && person.membership.isGranted),
    member: !person.isMember,
    noMember: person.isMember && !person.membership?.plan,
    role: viewer?.role === "SUPER_ADMIN" && !isMe,
    suspend: !person.suspendedAt && !isMe && (person.role !== "SUPER_ADMIN" || viewer?.role === "SUPER_ADMIN"),
    reinstate: Boolean(person.suspendedAt),
  };
  return ACTS.filter((act) => isShown[act]);
}

export function PersonActs({ person }: { readonly person: Person }) {
  const t = useText(admin);
  const a = useText(adminActs);
  const { viewer } = useSession();
  const { data: found, error, reread } = useRead(DeskOffersDocument, {});
  const offers = found?.plans ?? [];
  const isOffered = (kind: Kind) => !found || offers.some((one) => one.kind === kind); // as long as it is not known
  const [open, setOpen] = useState<Act | null>(null);
  const close = () => setOpen(null);
  const begin = (act: Act) => {
    if (error) reread(); // the offers, of which one is chosen
    setOpen(act);
  };
  const props = { person, onClose: close };
  return (
    <div className={style["acts"]} role="group" aria-label={t.person.acts}>
      {actsFor(person, viewer, isOffered).map((act) => (
        <Button key={act} size="small" look={act === "suspend" ? "danger" : "outline"} onPress={() => begin(act)}>
          {a[act].act}
        </Button>
      ))}
      {open === "adjust" && <AdjustDialog {...props} />}
      {open === "pass" && <PassDialog {...props} passes={offers.filter(({ kind }) => kind === "PASS")} />}
      {open === "plan" && <PlanDialog {...props} plans={offers.filter(({ kind }) => kind === "SUBSCRIPTION")} />}
      {open === "role" && <RoleDialog {...props} />}
      {open && !["adjust", "pass", "plan", "role"].includes(open) && <PlainDialog {...props} act={open as PlainAct} />}
    </div>
  );
}

type Props = { readonly person: Person; readonly onClose: () => void };
type PlainAct = "suspend" | "reinstate" | "member" | "noMember" | "endPlan";

/** Acts without anything to choose. */
function PlainDialog({ person, act, onClose }: Props & { readonly act: PlainAct }) {
  const a = useText(adminActs);
  const { clients } = useSession();
  const text = a[act];
  const run = async ({ reason }: Given) => {
    const { darkroom } = clients;
    const userId = person.id;
    if (act === "endPlan") return accepted((await darkroom.run(EndPlanDocument, { userId, reason })).adminEndPlan);
    if (act === "suspend" || act === "reinstate") {
      return accepted((await darkroom.run(SetSuspendedDocument, { userId, suspended: act === "suspend", reason })).adminSetSuspended);
    }
    return accepted((await darkroom.run(SetMembershipDocument, { userId, isMember: act === "member", reason })).adminSetMembership);
  };
  return (
    <ActDialog
      title={text.title} subject={nameOf(person)} text={<p>{text.text}</p>} confirm={text.do} done={text.done}
      isDanger={act === "suspend"} onAct={run} onClose={onClose}
    />
  );
}

const WHOLE = /^[+-]?\d{1,7}$/;

function AdjustDialog({ person, onClose }: Props) {
  const a = useText(adminActs);
  const format = useFormat();
  const { clients } = useSession();
  const [text, setText] = useState("");
  const amount = WHOLE.test(text.trim()) ? Number(text) : null;
  const run = async ({ reason, key }: Given) => {
    const input = { userId: person.id, amount: amount ?? 0, reason, idempotencyKey: key };
    accepted((await clients.darkroom.run(AdjustCreditsDocument, { input })).adminAdjustCredits);
  };
  return (
    <ActDialog
      title={a.adjust.title} subject={nameOf(person)} text={<p>{a.adjust.text}</p>} confirm={a.adjust.do} done={a.adjust.done}
      reasonHint={a.shownToOwner} isReady={Boolean(amount)} onAct={run} onClose={onClose}
    >
      <TextField
        autoFocus label={a.adjust.amount} hint={a.adjust.amountHint} value={text} onChange={setText} isRequired inputMode="numeric"
        pattern="[+\-]?[0-9]{1,7}"
      />
      {amount !== null && (
        <p className={fieldStyle["hint"]} role="status">
          {a.adjust.after(format.number(person.credits), format.number(person.credits + amount))}
        </p>
      )}
    </ActDialog>
  );
}

type Offers = DeskOffersQuery["plans"];

function PassDialog({ person, passes, onClose }: Props & { readonly passes: Offers }) {
  const a = useText(adminActs);
  const { clients } = useSession();
  const [slug, setSlug] = useState("");
  const [hours, setHours] = useState("");
  const chosen = passes.find((one) => one.slug === slug) ?? passes[0];
  const run = async ({ reason, key }: Given) => {
    const variables = { userId: person.id, plan: chosen?.slug ?? "", hours: hours ? Number(hours) : null, idempotencyKey: key, reason };
    accepted((await clients.darkroom.run(GrantPassDocument, variables)).adminGrantPass);
  };
  return (
    <ActDialog
      title={a.pass.title} subject={nameOf(person)} text={<p>{a.pass.text}</p>} confirm={a.pass.do} done={a.pass.done}
      isReady={Boolean(chosen)} onAct={run} onClose={onClose}
    >
      {chosen && (
        <Select
          label={a.pass.which} value={chosen.slug} onChange={setSlug} choices={passes.map(({ slug: id, title }) => ({ id, label: title }))}
        />
      )}
      <TextField
        label={a.pass.hours} hint={a.pass.hoursHint(chosen?.durationHours ?? 0)} value={hours} onChange={setHours} inputMode="numeric"
        pattern="[0-9]{1,4}"
      />
    </ActDialog>
  );
}

function PlanDialog({ person, plans, onClose }: Props & { readonly plans: Offers }) {
  const a = useText(adminActs);
  const { clients } = useSession();
  const [slug, setSlug] = useState("");
  const [months, setMonths] = useState("");
  const chosen = plans.find((one) => one.slug === slug) ?? plans[0];
  const run = async ({ reason, key }: Given) => {
    const variables = { userId: person.id, plan: chosen?.slug ?? "", months: months ? Number(months) : null, idempotencyKey: key, reason };
    accepted((await clients.darkroom.run(GrantPlanDocument, variables)).adminGrantPlan);
  };
  return (
    <ActDialog
      title={a.plan.title} subject={nameOf(person)} text={<p>{a.plan.text}</p>} confirm={a.plan.do} done={a.plan.done}
      isReady={Boolean(chosen)} onAct={run} onClose={onClose}
    >
      {chosen && (
        <Select
          label={a.plan.which} value={chosen.slug} onChange={setSlug} choices={plans.map(({ slug: id, title }) => ({ id, label: title }))}
        />
      )}
      <TextField
        label={a.plan.months} hint={a.plan.monthsHint} value={months} onChange={setMonths} inputMode="numeric" pattern="[0-9]{1,3}"
      />
    </ActDialog>
  );
}

const ROLES: readonly Role[] = ["USER", "ADMIN", "SUPER_ADMIN"];

function RoleDialog({ person, onClose }: Props) {
  const t = useText(admin);
  const a = useText(adminActs);
  const { clients } = useSession();
  const [role, setRole] = useState<Role>(person.role);
  const run = async ({ reason }: Given) => {
    accepted((await clients.darkroom.run(SetRoleDocument, { userId: person.id, role, reason })).adminSetRole);
  };
  return (
    <ActDialog
      title={a.role.title} subject={nameOf(person)} text={<p>{a.role.text}</p>} confirm={a.role.do} done={a.role.done}
      isReady={role !== person.role} onAct={run} onClose={onClose}
    >
      <Select label={a.role.which} value={role} onChange={setRole} choices={ROLES.map((id) => ({ id, label: t.roles[id] }))} />
    </ActDialog>
  );
}
