package docs_test
