package facts

// Cost is what reading an image took.
type Cost struct {
	Requests int64 `json:"requests"` // to an engine or a registry
	Bytes    int64 `json:"bytes"`    // of documents and layers, as they are stored or sent
}
