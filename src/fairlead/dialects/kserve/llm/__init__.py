"""LLMInferenceService and LLMInferenceServiceConfig: language models behind OpenAI's API."""
