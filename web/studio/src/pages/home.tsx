// The start: what this is, for those who are new, and the wall of styles.
import { useQuery } from "urql";
import { useText } from "../app/locale.tsx";
import { useSession } from "../app/session.tsx";
import { ButtonLink, Button } from "../components/button.tsx";
import { ViewTitle } from "../components/view-title.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { StyleWall } from "../features/styles/wall.tsx";
import { CatalogueDocument, DeploymentDocument } from "../gql/graphql.ts";
import { common } from "../locales/common.ts";
import { home } from "../locales/home.ts";

export function HomePage() {
  const t = useText(home);
  const { viewer } = useSession();
  if (viewer) {
    return (
      <>
        <ViewTitle className="visually-hidden">{t.title}</ViewTitle>
        <StyleWall />
      </>
    );
  }
  return (
    <>
      <Hero />
      <StyleWall />
    </>
  );
}

function Hero() {
  const t = useText(home);
  const c = useText(common);
  const { open } = useSignIn();
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const rules = data?.deployment.signIn;
  const bonus = rules?.signupCredits ?? 0;
  return (
    <div className="opening">
      <div className="words">
      <ViewTitle>{t.title}</ViewTitle>
      <p>{t.lead}</p>
      <div className="acts">
        <ButtonLink look="primary" size="large" icon="wand" to="/create">
          {rules && rules.guestCredits === null ? t.start : t.tryIt}
        </ButtonLink>
        <Button size="large" onPress={() => open("signUp")}>
          {c.signUp}
        </Button>
      </div>
      {bonus > 0 && <p className="bonus">{t.bonus(bonus)}</p>}
      </div>
      <Prints />
    </div>
  );
}

/** Some of the pictures below, as prints on a table. */
function Prints() {
  const [{ data }] = useQuery({ query: CatalogueDocument });
  const pictures = (data?.collections ?? [])
    .flatMap(({ styles }) => styles.slice(-2))
    .map(({ previewUrl }) => previewUrl)
    .filter((url) => url !== null)
    .slice(0, 5);
  return (
    <div className="prints" aria-hidden="true">
      {pictures.map((url) => (
        <img key={url} src={url} alt="" />
      ))}
    </div>
  );
}
