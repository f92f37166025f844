// Every view and its address; each is loaded when it is first shown. web/studio.py lists the same addresses.
import { lazy } from "react";
import { Route, Switch } from "wouter";
import { HomePage } from "../pages/home.tsx";

const CreatePage = lazy(() => import("../pages/create.tsx"));
const GalleryPage = lazy(() => import("../pages/gallery.tsx"));
const PicturePage = lazy(() => import("../pages/picture.tsx"));
const BatchPage = lazy(() => import("../pages/batch.tsx"));
const NotFoundPage = lazy(() => import("../pages/not-found.tsx"));

export function Views() {
  return (
    <Switch>
      <Route path="/">
        <HomePage />
      </Route>
      <Route path="/create/:collection?/:style?" component={CreatePage} />
      <Route path="/gallery" component={GalleryPage} />
      <Route path="/pictures/:id" component={PicturePage} />
      <Route path="/batches/:id" component={BatchPage} />
      <Route component={NotFoundPage} />
    </Switch>
  );
}
