// How a Relay app declares the gallery. relay-compiler reads it in the tests: a paged list (@connection), a node that
// can be fetched again (@refetchable), and mutations that change the list in the store.
import { graphql } from "relay-runtime";

export const galleryQuery = graphql`
  query GalleryQuery($count: Int!, $cursor: String) {
    viewer {
      id
      credits
      ...Gallery_user @arguments(count: $count, cursor: $cursor)
    }
  }
`;

export const galleryFragment = graphql`
  fragment Gallery_user on User
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }, filter: { type: "GenerationFilter" })
  @refetchable(queryName: "GalleryPageQuery") {
    generations(first: $count, after: $cursor, filter: $filter) @connection(key: "Gallery_generations") {
      edges {
        node {
          id
          ...Gallery_picture
        }
      }
    }
  }
`;

export const pictureFragment = graphql`
  fragment Gallery_picture on Generation @refetchable(queryName: "GalleryPictureQuery") {
    id
    status
    isFavorite
    result {
      thumbnailUrl(width: 640)
      placeholder
    }
  }
`;

export const progressSubscription = graphql`
  subscription GalleryProgressSubscription($id: ID!) {
    generationProgress(id: $id) {
      stage
      progress
      ...Gallery_picture
    }
  }
`;
