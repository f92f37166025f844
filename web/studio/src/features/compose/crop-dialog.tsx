// Cropping a photo by hand or by keyboard, free or to one of the usual shapes.
import { useState } from "react";
import ReactCrop, { centerCrop, makeAspectCrop, type PercentCrop } from "react-image-crop";
import "react-image-crop/dist/ReactCrop.css";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Chips } from "../../components/card.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { compose } from "../../locales/compose.ts";
import { edited } from "./image.ts";
import type { Photo } from "./photo.tsx";

type Props = { readonly photo: Photo; readonly onClose: () => void; readonly onDone: (crop: (file: Blob) => Promise<Blob>) => void };

const SHAPES = ["", "1:1", "4:3", "3:4", "16:9", "9:16"];
const WHOLE: PercentCrop = { unit: "%", x: 5, y: 5, width: 90, height: 90 };

export default function CropDialog({ photo, onClose, onDone }: Props) {
  const t = useText(compose);
  const [shape, setShape] = useState("");
  const [crop, setCrop] = useState<PercentCrop>(WHOLE);
  const aspect = ratioOf(shape);

  const choose = (next: string) => {
    const ratio = ratioOf(next);
    setShape(next);
    if (!ratio) return setCrop(WHOLE);
    const largest = makeAspectCrop({ unit: "%", width: 90 }, ratio, photo.width, photo.height);
    const fitting = largest.height > 90 ? makeAspectCrop({ unit: "%", height: 90 }, ratio, photo.width, photo.height) : largest;
    setCrop(centerCrop(fitting, photo.width, photo.height));
  };
  const use = () => {
    const area = {
      x: (crop.x / 100) * photo.width,
      y: (crop.y / 100) * photo.height,
      width: (crop.width / 100) * photo.width,
      height: (crop.height / 100) * photo.height,
    };
    onDone((file) => edited(file, 0, area));
    onClose();
  };
  return (
    <Dialog isOpen title={t.cropTitle} width="44rem" onClose={onClose}>
      <Chips
        label={t.shape}
        value={shape || "any"}
        onChange={(id) => choose(id === "any" ? "" : id)}
        choices={SHAPES.map((id) => ({ id: id || "any", label: id || t.anyShape }))}
      />
      <ReactCrop
        crop={crop}
        onChange={(_, next) => setCrop(next)}
        {...(aspect && { aspect })}
        minWidth={24}
        minHeight={24}
        keepSelection
        ruleOfThirds
        style={{ alignSelf: "center", maxHeight: "60dvh" }}
      >
        <img src={photo.url ?? ""} alt={t.photo} style={{ maxHeight: "60dvh" }} />
      </ReactCrop>
      <Button look="primary" size="large" full icon="crop" onPress={use}>
        {t.cropDo}
      </Button>
    </Dialog>
  );
}

function ratioOf(shape: string): number | undefined {
  const [width, height] = shape.split(":").map(Number);
  return width && height ? width / height : undefined;
}
