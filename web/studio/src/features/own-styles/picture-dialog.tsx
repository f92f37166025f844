// The visitor's finished pictures, of which one becomes the picture of a style.
import { useState } from "react";
import { useQuery } from "urql";
import { useText } from "../../app/locale.tsx";
import { Button as AriaButton } from "react-aria-components/Button";
import { Button } from "../../components/button.tsx";
import { Empty, Picture, Skeleton } from "../../components/card.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { PicturesDocument } from "../../gql/graphql.ts";
import { credits } from "../../locales/credits.ts";
import { ownStyles } from "../../locales/own-styles.ts";
import { picture as pictureTexts } from "../../locales/picture.ts";
import { nameOf } from "../picture/state.ts";
import style from "./picture-dialog.module.css";

type Props = { readonly onClose: () => void; readonly onChoose: (generation: string) => void };

export default function PictureDialog({ onClose, onChoose }: Props) {
  const t = useText(ownStyles);
  const p = useText(pictureTexts);
  const c = useText(credits);
  const [after, setAfter] = useState<string | null>(null);
  const variables = { first: 24, filter: { status: ["COMPLETED" as const] }, orderBy: "NEWEST" as const, ...(after && { after }) };
  const [{ data, fetching }] = useQuery({ query: PicturesDocument, variables });
  const list = data?.viewer?.generations;
  const end = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  return (
    <Dialog isOpen title={t.choosePicture} width="40rem" onClose={onClose}>
      {!list ? (
        <div className={style["grid"]} aria-busy="true">
          {Array.from({ length: 6 }, (_, index) => (
            <Skeleton key={index} css={{ aspectRatio: "1" }} />
          ))}
        </div>
      ) : list.edges.length ? (
        <ul className={style["grid"]}>
          {list.edges.map(({ node }) => (
            <li key={node.id}>
              <AriaButton className={style["tile"] ?? ""} aria-label={nameOf(node, p.picture)} onPress={() => onChoose(node.id)}>
                <Picture src={node.result?.thumbnailUrl} placeholder={node.result?.placeholder ?? null} alt="" className={style["image"] ?? ""} />
              </AriaButton>
            </li>
          ))}
        </ul>
      ) : (
        <Empty isPart icon="image" title={t.noPictures} />
      )}
      {end && (
        <Button size="small" busy={fetching} onPress={() => setAfter(end)}>
          {c.older}
        </Button>
      )}
    </Dialog>
  );
}
