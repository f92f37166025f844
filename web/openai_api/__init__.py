"""The image API of OpenAI over this API's services, so that its clients and libraries work with an API key."""
