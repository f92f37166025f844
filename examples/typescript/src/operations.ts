// Every operation that the example uses; GraphQL Code Generator writes their types.
import { graphql } from "./gql/index.ts";

export const SignUp = graphql(/* GraphQL */ `
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) {
      token
      user { id credits }
      errors { code message field }
    }
  }
`);

export const SignIn = graphql(/* GraphQL */ `
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
      token
      errors { code message field }
    }
  }
`);

export const FindStyle = graphql(/* GraphQL */ `
  query FindStyle($slug: String!, $collection: String) {
    style(slug: $slug, collection: $collection) { id title cost referenceImage locked }
  }
`);

export const CreateUpload = graphql(/* GraphQL */ `
  mutation CreateUpload($input: CreateUploadInput!) {
    createUpload(input: $input) {
      upload { id url method headers fields expiresAt }
      errors { code message field }
    }
  }
`);

export const CreateGeneration = graphql(/* GraphQL */ `
  mutation CreateGeneration($input: CreateGenerationInput!) {
    createGeneration(input: $input) {
      generations { id status cost }
      viewer { id credits }
      errors { __typename code message field ... on InsufficientCreditsError { required balance } }
    }
  }
`);

export const Progress = graphql(/* GraphQL */ `
  subscription Progress($id: ID!) {
    generationProgress(id: $id) {
      id
      status
      stage
      progress
      message
      errorMessage
      result { url thumbnailUrl(width: 640) contentType width height placeholder }
    }
  }
`);

export const Gallery = graphql(/* GraphQL */ `
  query Gallery($first: Int, $after: String, $filter: GenerationFilter) {
    viewer {
      id
      generations(first: $first, after: $after, filter: $filter) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { id status prompt styleTitle isFavorite createdAt result { thumbnailUrl placeholder } }
      }
    }
  }
`);
