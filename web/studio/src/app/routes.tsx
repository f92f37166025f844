// Every view and its address; each is loaded when it is first shown. web/studio.py lists the same addresses.
import { lazy } from "react";
import { Route, Switch } from "wouter";
import { HomePage } from "../pages/home.tsx";

const CreatePage = lazy(() => import("../pages/create.tsx"));
const OwnStylePage = lazy(() => import("../pages/own-style.tsx"));
const GalleryPage = lazy(() => import("../pages/gallery.tsx"));
const PicturePage = lazy(() => import("../pages/picture.tsx"));
const BatchPage = lazy(() => import("../pages/batch.tsx"));
const AccountPage = lazy(() => import("../pages/account.tsx"));
const mailedLink = () => import("../pages/mailed-link.tsx");
const VerifyEmailPage = lazy(() => mailedLink().then((all) => ({ default: all.VerifyEmailPage })));
const ChangeEmailPage = lazy(() => mailedLink().then((all) => ({ default: all.ChangeEmailPage })));
const ResetPasswordPage = lazy(() => mailedLink().then((all) => ({ default: all.ResetPasswordPage })));
const SignInLinkPage = lazy(() => mailedLink().then((all) => ({ default: all.SignInLinkPage })));
const SignInCallbackPage = lazy(() => import("../pages/sign-in-callback.tsx"));
const AdminDesk = lazy(() => import("../pages/admin/desk.tsx"));
const CreditsPage = lazy(() => import("../pages/credits.tsx"));
const NotFoundPage = lazy(() => import("../pages/not-found.tsx"));

export function Views() {
  return (
    <Switch>
      <Route path="/">
        <HomePage />
      </Route>
      <Route path="/create/own/new" component={OwnStylePage} />
      <Route path="/create/own/:style/edit" component={OwnStylePage} />
      <Route path="/create/:collection?/:style?" component={CreatePage} />
      <Route path="/gallery" component={GalleryPage} />
      <Route path="/pictures/:id" component={PicturePage} />
      <Route path="/batches/:id" component={BatchPage} />
      <Route path="/account/:section?" component={AccountPage} />
      <Route path="/verify-email" component={VerifyEmailPage} />
      <Route path="/change-email" component={ChangeEmailPage} />
      <Route path="/reset-password" component={ResetPasswordPage} />
      <Route path="/sign-in/callback" component={SignInCallbackPage} />
      <Route path="/sign-in" component={SignInLinkPage} />
      <Route path="/admin/*?" component={AdminDesk} />
      <Route path="/credits/:view?" component={CreditsPage} />
      <Route component={NotFoundPage} />
    </Switch>
  );
}
