/* No guard: turns the field rows of a .def file into struct members. */
#define REC_NONE uint8_t none;
#define REC_U8(f) uint8_t f;
#define REC_U16(f) uint16_t f;
#define REC_U32(f) uint32_t f;
#define REC_U64(f) uint64_t f;
#define REC_UUID(f) struct uuid f;
#define REC_STR(f, max) struct str f;
#define REC_SECRET(f, max) struct str f;
#define REC_BLOB(f, max) struct str f;
