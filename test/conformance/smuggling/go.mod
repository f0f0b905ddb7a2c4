module keygate/test/conformance/smuggling

go 1.22
