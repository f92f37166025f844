// Outbound webhooks: the account's endpoints, their secrets, and what was sent to them.
import { useState, type FormEvent } from "react";
import { useQuery } from "urql";
import { accepted } from "@darkroom/client/errors.ts";
import { Failed } from "../../app/failed.tsx";
import { useText } from "../../app/locale.tsx";
import { Button, IconButton } from "../../components/button.tsx";
import { Badge, Skeleton } from "../../components/card.tsx";
import { Checkboxes } from "../../components/checkboxes.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Problem, TextField } from "../../components/field.tsx";
import { Divider, Item, Menu } from "../../components/menu.tsx";
import { toast } from "../../components/toast.tsx";
import {
  CreateWebhookDocument,
  DeleteWebhookDocument,
  ReplayWebhookDocument,
  RotateWebhookDocument,
  TestWebhookDocument,
  UpdateWebhookDocument,
  WebhookDeliveriesDocument,
  WebhooksDocument,
  type EndpointPartsFragment,
  type WebhookEventType,
} from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { useAction, useMutate } from "./action.ts";
import { Question, Row, Rows, Secret, Section, useWhen } from "./section.tsx";
import style from "./account.module.css";

const MAX_ENDPOINTS = 5; // the server refuses more
const EVENTS: readonly WebhookEventType[] = [
  "GENERATION_COMPLETED",
  "GENERATION_FAILED",
  "GENERATION_CANCELED",
  "CREDITS_LOW",
  "PURCHASE_COMPLETED",
  "PURCHASE_REFUNDED",
  "MEMBERSHIP_CHANGED",
];
type OfOne = "edit" | "rotate" | "delete" | "deliveries";
type Open = { readonly kind: "new" } | { readonly kind: OfOne; readonly endpoint: EndpointPartsFragment };

export function WebhooksSection() {
  const t = useText(account);
  const [{ data, error }, reread] = useQuery({ query: WebhooksDocument, requestPolicy: "cache-and-network" });
  const [open, setOpen] = useState<Open | null>(null);
  const mutate = useMutate();
  const action = useAction();
  const endpoints = data?.webhookEndpoints ?? [];
  const close = () => {
    setOpen(null);
    reread({ requestPolicy: "network-only" });
  };
  const test = (endpoint: EndpointPartsFragment) =>
    void action
      .run(async () => accepted((await mutate(TestWebhookDocument, { id: endpoint.id })).sendTestWebhook))
      .then((done) => done && setOpen({ kind: "deliveries", endpoint }));
  const enable = (id: string, isEnabled: boolean) =>
    void action
      .run(async () => accepted((await mutate(UpdateWebhookDocument, { id, input: { isEnabled } })).updateWebhookEndpoint))
      .then((done) => done && toast(t.saved));
  const problem = action.besides();
  return (
    <Section title={t.webhooks} text={t.webhooksText}>
      {problem && <Problem>{problem}</Problem>}
      {!data && (error ? <Failed isPart reread={[reread]} /> : <Skeleton />)}
      {endpoints.length > 0 && (
        <Rows label={t.webhooks}>
          {endpoints.map((one) => (
            <Endpoint
              key={one.id}
              endpoint={one}
              onTest={() => test(one)}
              onEnable={() => enable(one.id, !one.isEnabled)}
              onOpen={(kind) => (action.clear(), setOpen({ kind, endpoint: one }))}
            />
          ))}
        </Rows>
      )}
      {data && endpoints.length < MAX_ENDPOINTS && (
        <div className={style["acts"]}>
          <Button icon="plus" onPress={() => setOpen({ kind: "new" })}>
            {t.newWebhook}
          </Button>
        </div>
      )}
      {open?.kind === "new" && <EndpointDialog onClose={close} />}
      {open?.kind === "edit" && <EndpointDialog of={open.endpoint} onClose={close} />}
      {open?.kind === "rotate" && <RotateDialog id={open.endpoint.id} onClose={close} />}
      {open?.kind === "delete" && <DeleteDialog id={open.endpoint.id} onClose={close} />}
      {open?.kind === "deliveries" && <DeliveriesDialog id={open.endpoint.id} onClose={close} />}
    </Section>
  );
}

type EndpointProps = {
  readonly endpoint: EndpointPartsFragment;
  readonly onTest: () => void;
  readonly onEnable: () => void;
  readonly onOpen: (kind: OfOne) => void;
};

function Endpoint({ endpoint, onTest, onEnable, onOpen }: EndpointProps) {
  const t = useText(account);
  const when = useWhen();
  return (
    <Row
      title={endpoint.description ?? endpoint.url}
      marks={<Badge icon={endpoint.isEnabled ? "check" : "stop"}>{endpoint.isEnabled ? t.isOn : t.isOff}</Badge>}
      facts={[
        endpoint.description && endpoint.url,
        endpoint.disabledReason && t.disabledReasons[endpoint.disabledReason],
        endpoint.failingSince && t.failingSince(when(endpoint.failingSince)),
        endpoint.previousSecretUntil && t.oldSecretUntil(when(endpoint.previousSecretUntil)),
      ]}
    >
      <Button size="small" isDisabled={!endpoint.isEnabled} onPress={onTest}>
        {t.sendTest}
      </Button>
      <Menu label={t.more} trigger={<IconButton size="small" icon="more" label={t.moreOf(endpoint.url)} />}>
        <Item icon="arrowRight" onAction={() => onOpen("deliveries")}>
          {t.deliveries}
        </Item>
        <Item icon="edit" onAction={() => onOpen("edit")}>
          {t.edit}
        </Item>
        <Item icon="repeat" onAction={() => onOpen("rotate")}>
          {t.rotate}
        </Item>
        <Item icon={endpoint.isEnabled ? "stop" : "check"} onAction={onEnable}>
          {endpoint.isEnabled ? t.switchOff : t.switchOn}
        </Item>
        <Divider />
        <Item icon="trash" isDanger onAction={() => onOpen("delete")}>
          {t.remove}
        </Item>
      </Menu>
    </Row>
  );
}

function SecretShown({ secret, onClose }: { readonly secret: string; readonly onClose: () => void }) {
  const t = useText(account);
  return (
    <>
      <p>{t.webhookSecretText}</p>
      <Secret label={t.signingSecret} text={secret} />
      <Button full onPress={onClose}>
        {t.kept}
      </Button>
    </>
  );
}

type EndpointDialogProps = { readonly of?: EndpointPartsFragment; readonly onClose: () => void };

/** Add an endpoint, or edit the given one. */
function EndpointDialog({ of: endpoint, onClose }: EndpointDialogProps) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const [events, setEvents] = useState<readonly WebhookEventType[]>(endpoint?.events ?? EVENTS);
  const [secret, setSecret] = useState<string | null>(null);
  const hasThreshold = events.includes("CREDITS_LOW");
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const input = {
      url: String(form.get("url")).trim(),
      description: String(form.get("description")).trim() || null,
      events: EVENTS.every((one) => events.includes(one)) ? null : [...events],
      ...(hasThreshold && { creditsLowBelow: form.get("credits") ? Number(form.get("credits")) : null }),
    };
    void action.run(async () => {
      if (endpoint) {
        accepted((await mutate(UpdateWebhookDocument, { id: endpoint.id, input })).updateWebhookEndpoint);
        toast(t.saved);
        onClose();
      } else setSecret(accepted((await mutate(CreateWebhookDocument, { input })).createWebhookEndpoint).secret ?? null);
    });
  };
  const problem = action.besides("url", "description", "events", "creditsLowBelow");
  return (
    <Dialog isOpen title={endpoint ? t.editOf(endpoint.url) : t.newWebhook} width="32rem" onClose={onClose}>
      {secret ? (
        <SecretShown secret={secret} onClose={onClose} />
      ) : (
        <form className={style["steps"]} onSubmit={submit}>
          <TextField
            name="url" type="url" label={t.url} hint={t.urlHint} placeholder="https://" isRequired autoFocus
            defaultValue={endpoint?.url ?? ""} error={action.of("url")}
          />
          <TextField
            name="description" label={t.description} hint={t.descriptionHint} defaultValue={endpoint?.description ?? ""}
            error={action.of("description")}
          />
          <Checkboxes
            label={t.events} hint={t.eventsHint} error={action.of("events")}
            choices={EVENTS.map((id) => ({ id, label: t.eventNames[id] }))} value={events} onChange={setEvents}
          />
          {hasThreshold && (
            <TextField
              name="credits" type="number" label={t.lowBelow} hint={t.lowBelowHint} inputMode="numeric"
              defaultValue={endpoint?.creditsLowBelow.toString() ?? ""} error={action.of("creditsLowBelow")}
            />
          )}
          {problem && <Problem>{problem}</Problem>}
          <Button type="submit" look="primary" full busy={action.isBusy}>
            {endpoint ? t.save : t.add}
          </Button>
        </form>
      )}
    </Dialog>
  );
}

type OfEndpoint = { readonly id: string; readonly onClose: () => void };

function RotateDialog({ id, onClose }: OfEndpoint) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const [secret, setSecret] = useState<string | null>(null);
  const rotate = () =>
    void action.run(async () => setSecret(accepted((await mutate(RotateWebhookDocument, { id })).rotateWebhookSecret).secret ?? null));
  return secret ? (
    <Dialog isOpen title={t.rotate} width="32rem" onClose={onClose}>
      <SecretShown secret={secret} onClose={onClose} />
    </Dialog>
  ) : (
    <Question
      title={t.rotate}
      text={t.rotateText}
      act={t.rotate}
      isBusy={action.isBusy}
      problem={action.besides()}
      onAct={rotate}
      onClose={onClose}
    />
  );
}

function DeleteDialog({ id, onClose }: OfEndpoint) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const remove = () =>
    void action
      .run(async () => accepted((await mutate(DeleteWebhookDocument, { id })).deleteWebhookEndpoint))
      .then((done) => done && onClose());
  return (
    <Question
      title={t.removeWebhook}
      text={t.removeWebhookText}
      act={t.remove}
      isBusy={action.isBusy}
      problem={action.besides()}
      onAct={remove}
      onClose={onClose}
    />
  );
}

function DeliveriesDialog({ id, onClose }: OfEndpoint) {
  const t = useText(account);
  const when = useWhen();
  const mutate = useMutate();
  const action = useAction();
  const [{ data, error, fetching }, reread] = useQuery({
    query: WebhookDeliveriesDocument,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const endpoint = data?.node && "deliveries" in data.node ? data.node : null;
  const deliveries = endpoint?.deliveries.nodes ?? [];
  const [replayed, setReplayed] = useState<string | null>(null);
  const replay = (delivery: string) => {
    setReplayed(delivery);
    void action
      .run(async () => accepted((await mutate(ReplayWebhookDocument, { id: delivery })).replayWebhookDelivery))
      .then((done) => done && toast(t.sentAgain));
  };
  const problem = action.besides();
  return (
    <Dialog isOpen title={t.deliveries} width="36rem" onClose={onClose}>
      {!data && error && <Failed isPart reread={[reread]} />}
      {data && deliveries.length === 0 && !fetching && <p>{t.noDeliveries}</p>}
      {problem && <Problem>{problem}</Problem>}
      <Rows label={t.deliveries}>
        {deliveries.map((one) => {
          const last = one.attempts.at(-1);
          return (
            <Row
              key={one.id}
              title={one.type}
              marks={<Badge>{t.deliveryStates[one.state]}</Badge>}
              facts={[when(one.createdAt), t.attempts(one.attempts.length), last && (last.status ? `HTTP ${last.status}` : last.failure && t.failures[last.failure])]}
            >
              {one.state !== "WAITING" && (
                <Button size="small" busy={action.isBusy && one.id === replayed} onPress={() => replay(one.id)}>
                  {t.sendAgain}
                </Button>
              )}
            </Row>
          );
        })}
      </Rows>
      <Button full icon="repeat" busy={fetching} onPress={() => reread({ requestPolicy: "network-only" })}>
        {t.refresh}
      </Button>
    </Dialog>
  );
}
