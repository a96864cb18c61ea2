/* How is a value read in a microsecond? By walking a plan made of its schema.
 *
 * The same contract as the Python in compiled.py: read only what a writer normally writes (shortest
 * numbers, arrays in blocks without their size) and raise ValueError for everything else, which
 * the Avro library, the authority, then reads again. Every read is checked against the value's end.
 *
 * A plan is nested tuples: (kind, arguments...), see `plan` in compiled.py. Objects are put together
 * slot by slot, so the classes are those of schemas.generated.events: dataclasses with slots and nothing else.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stdint.h>
#include <string.h>

enum kind { RECORD, OPTIONAL, ARRAY, FIXED, ENUM, INTEGER, BYTES, STRING, DOUBLE, BOOLEAN, CONSTANT,
            CODE };

typedef struct node {
    enum kind kind;
    Py_ssize_t count;        /* children of a record, bytes of a fixed, symbols of an enum */
    struct node *children;   /* a record's fields in the order of the wire; one item otherwise */
    Py_ssize_t *slots;       /* where in the object each field of a record goes */
    PyObject *object;        /* a record's class; an enum's symbols; a constant; a string's last text */
    int64_t low, high;       /* bounds of an integer, both included; low of a code: upper case */
    PyObject *form;          /* a function that gives the normal form of a code */
} node;

typedef struct {
    const unsigned char *at, *end;
} source;

typedef struct {
    PyObject_HEAD
    Py_ssize_t start;
    node root;
    vectorcallfunc call;
} Reader;

static PyObject *
unusual(void)
{
    PyErr_SetString(PyExc_ValueError, "not what a writer normally writes");
    return NULL;
}

/* A zigzag number in its shortest form; -1 when it is not one. */
static int
number(source *from, int64_t *found)
{
    uint64_t gathered = 0;
    for (int shift = 0; from->at < from->end; shift += 7) {
        unsigned char byte = *from->at++;
        if (shift == 63 && byte > 1) /* more than 64 bits */
            return -1;
        gathered |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            if (byte == 0 && shift > 0)
                return -1;
            *found = (int64_t)(gathered >> 1) ^ -(int64_t)(gathered & 1);
            return 0;
        }
    }
    return -1;
}

/* The length of what follows, once it is known to be there. */
static int
length(source *from, Py_ssize_t *found)
{
    int64_t said;
    if (number(from, &said) < 0 || said < 0 || said > from->end - from->at)
        return -1;
    *found = (Py_ssize_t)said;
    return 0;
}

static PyObject *value(node *what, source *from);

static PyObject *
record(node *what, source *from)
{
    PyTypeObject *type = (PyTypeObject *)what->object;
    PyObject *made = type->tp_alloc(type, 0);
    if (made == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < what->count; i++) {
        PyObject *one = value(&what->children[i], from);
        if (one == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        *(PyObject **)((char *)made + what->slots[i]) = one;
    }
    return made;
}

static PyObject *
array(node *what, source *from)
{
    PyObject *list = PyList_New(0);
    int64_t count;
    if (list == NULL)
        return NULL;
    for (;;) {
        /* a negative count says that the block's size follows, which our writers do not say */
        if (number(from, &count) < 0 || count < 0) {
            unusual();
            goto failed;
        }
        if (count == 0)
            return list;
        while (count--) {
            PyObject *item = value(what->children, from);
            if (item == NULL)
                goto failed;
            int wrong = PyList_Append(list, item);
            Py_DECREF(item);
            if (wrong)
                goto failed;
        }
    }
failed:
    Py_DECREF(list);
    return NULL;
}

/* Whether a code is printable ASCII without spaces around it, and without lower case if it is upper. */
static int
is_plain(const char *text, Py_ssize_t size, int upper)
{
    if (size > 0 && (text[0] == ' ' || text[size - 1] == ' '))
        return 0;
    for (Py_ssize_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~' || (upper && text[i] >= 'a' && text[i] <= 'z'))
            return 0;
    return 1;
}

/* Systems, shops and currencies come again and again: the same text is the same object. */
static PyObject *
string(node *what, source *from)
{
    Py_ssize_t size;
    if (length(from, &size) < 0)
        return unusual();
    const char *text = (const char *)from->at;
    from->at += size;
    if (what->object != NULL) {
        Py_ssize_t held;
        const char *last = PyUnicode_AsUTF8AndSize(what->object, &held);
        if (last == NULL)
            return NULL;
        if (held == size && memcmp(last, text, (size_t)size) == 0) {
            Py_INCREF(what->object);
            return what->object;
        }
    }
    PyObject *made = PyUnicode_DecodeUTF8(text, size, NULL);
    if (made != NULL && what->form != NULL && !is_plain(text, size, (int)what->low)) {
        Py_SETREF(made, PyObject_CallOneArg(what->form, made));
        if (made != NULL && !PyUnicode_CheckExact(made)) {
            PyErr_SetString(PyExc_TypeError, "a normal form is a text");
            Py_CLEAR(made);
        }
        return made;
    }
    if (made != NULL && PyUnicode_IS_ASCII(made)) { /* whose bytes are at hand */
        Py_INCREF(made);
        Py_XSETREF(what->object, made);
    }
    return made;
}

static PyObject *
value(node *what, source *from)
{
    int64_t said;
    Py_ssize_t size;
    Py_ssize_t left = from->end - from->at;
    const char *here = (const char *)from->at;
    if (what->kind == CONSTANT) { /* what an older schema lacks: no bytes; a list is nobody else's */
        if (PyList_CheckExact(what->object))
            return PyList_New(0);
        Py_INCREF(what->object);
        return what->object;
    }
    if (left <= 0)
        return unusual();
    switch (what->kind) {
    case RECORD:
        return record(what, from);
    case OPTIONAL:
        from->at++;
        if (*here == 0)
            Py_RETURN_NONE;
        return *here == 2 ? value(what->children, from) : unusual();
    case ARRAY:
        return array(what, from);
    case FIXED:
        if (left < what->count)
            return unusual();
        from->at += what->count;
        return PyBytes_FromStringAndSize(here, what->count);
    case ENUM: {
        unsigned char symbol = *from->at++;
        if (symbol & 1 || symbol / 2 >= what->count || symbol > 127)
            return unusual();
        PyObject *name = PyTuple_GET_ITEM(what->object, symbol / 2);
        Py_INCREF(name);
        return name;
    }
    case INTEGER:
        if (number(from, &said) < 0 || said < what->low || said > what->high)
            return unusual();
        return PyLong_FromLongLong(said);
    case BYTES:
        if (length(from, &size) < 0)
            return unusual();
        here = (const char *)from->at;
        from->at += size;
        return PyBytes_FromStringAndSize(here, size);
    case STRING:
    case CODE:
        return string(what, from);
    case DOUBLE: {
        if (left < 8)
            return unusual();
        from->at += 8;
        double read = PyFloat_Unpack8(here, 1);
        return read == -1.0 && PyErr_Occurred() ? NULL : PyFloat_FromDouble(read);
    }
    case BOOLEAN:
        from->at++;
        if (*here != 0 && *here != 1)
            return unusual();
        return PyBool_FromLong(*here);
    case CONSTANT:
        break;
    }
    return unusual();
}

static PyObject *
read_value(PyObject *self, PyObject *const *given, size_t many, PyObject *names)
{
    Reader *reader = (Reader *)self;
    if (PyVectorcall_NARGS(many) != 1 || names != NULL || !PyBytes_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "a reader takes one bytes object");
        return NULL;
    }
    source from = {(unsigned char *)PyBytes_AS_STRING(given[0]), NULL};
    Py_ssize_t size = PyBytes_GET_SIZE(given[0]);
    from.end = from.at + size;
    if (size <= reader->start)
        return unusual();
    from.at += reader->start;
    PyObject *event = value(&reader->root, &from);
    if (event != NULL && from.at != from.end) {
        Py_DECREF(event);
        return unusual();
    }
    return event;
}

static void
let_go(node *what)
{
    if (what->children != NULL) {
        Py_ssize_t many = what->kind == RECORD ? what->count : 1;
        for (Py_ssize_t i = 0; i < many; i++)
            let_go(&what->children[i]);
    }
    PyMem_Free(what->children);
    PyMem_Free(what->slots);
    Py_CLEAR(what->object);
    Py_CLEAR(what->form);
}

static int plan_of(node *what, PyObject *said);

/* Where the class keeps a field: a slot that may be set from here, or nothing is. */
static Py_ssize_t
slot(PyObject *type, PyObject *name)
{
    PyObject *found = PyObject_GetAttr(type, name);
    Py_ssize_t offset = -1;
    if (found == NULL)
        return -1;
    if (Py_TYPE(found) == &PyMemberDescr_Type
        && ((PyMemberDescrObject *)found)->d_member->type == T_OBJECT_EX)
        offset = ((PyMemberDescrObject *)found)->d_member->offset;
    else
        PyErr_Format(PyExc_TypeError, "%R has no slot %R", type, name);
    Py_DECREF(found);
    return offset;
}

static int
children_of(node *what, PyObject *plans)
{
    what->children = PyMem_Calloc((size_t)PyTuple_GET_SIZE(plans), sizeof(node));
    if (what->children == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(plans); i++)
        if (plan_of(&what->children[i], PyTuple_GET_ITEM(plans, i)) < 0)
            return -1;
    return 0;
}

static int
record_plan(node *what, PyObject *type, PyObject *names, PyObject *plans)
{
    what->count = PyTuple_GET_SIZE(names);
    if (!PyType_Check(type) || what->count == 0 || PyTuple_GET_SIZE(plans) != what->count) {
        PyErr_SetString(PyExc_TypeError, "a record is a class, its names and their plans");
        return -1;
    }
    Py_INCREF(type);
    what->object = type;
    what->slots = PyMem_Calloc((size_t)what->count, sizeof(Py_ssize_t));
    if (what->slots == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < what->count; i++)
        if ((what->slots[i] = slot(type, PyTuple_GET_ITEM(names, i))) < 0)
            return -1;
    return children_of(what, plans);
}

static int
plan_of(node *what, PyObject *said)
{
    static const char *const kinds[] = {"record", "optional", "array", "fixed", "enum",
                                        "integer", "bytes", "string", "double", "boolean",
                                        "constant", "code"};
    const char *name;
    PyObject *first = NULL, *second = NULL, *third = NULL;
    long long low = 0, high = 0;
    if (!PyTuple_Check(said) || !PyArg_ParseTuple(said, "s|OOO", &name, &first, &second, &third)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a plan is a tuple");
        return -1;
    }
    size_t kind = 0;
    while (kind < sizeof kinds / sizeof *kinds && strcmp(kinds[kind], name) != 0)
        kind++;
    if (kind == sizeof kinds / sizeof *kinds) {
        PyErr_Format(PyExc_TypeError, "no kind %s", name);
        return -1;
    }
    what->kind = (enum kind)kind;
    switch (what->kind) {
    case RECORD:
        if (third == NULL || !PyTuple_Check(second) || !PyTuple_Check(third))
            break;
        return record_plan(what, first, second, third);
    case OPTIONAL:
    case ARRAY:
        if (first == NULL || !PyTuple_Check(first) || PyTuple_GET_SIZE(first) != 1)
            break;
        return children_of(what, first);
    case FIXED:
        if (first == NULL)
            break;
        what->count = PyLong_AsSsize_t(first);
        return PyErr_Occurred() ? -1 : 0;
    case ENUM:
        if (first == NULL || !PyTuple_Check(first))
            break;
        Py_INCREF(first);
        what->object = first;
        what->count = PyTuple_GET_SIZE(first);
        return 0;
    case CONSTANT:
        if (first == NULL || (PyList_CheckExact(first) && PyList_GET_SIZE(first) > 0))
            break;
        Py_INCREF(first);
        what->object = first;
        return 0;
    case CODE:
        if (second == NULL || !PyCallable_Check(first))
            break;
        what->low = PyObject_IsTrue(second);
        Py_INCREF(first);
        what->form = first;
        return 0;
    case INTEGER:
        if (second == NULL)
            break;
        low = PyLong_AsLongLong(first);
        high = PyErr_Occurred() ? 0 : PyLong_AsLongLong(second);
        what->low = low, what->high = high;
        return PyErr_Occurred() ? -1 : 0;
    default:
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "a plan of kind %s lacks what it needs", name);
    return -1;
}

static PyObject *
reader_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    PyObject *plan;
    Py_ssize_t start;
    static char *known[] = {"plan", "start", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, names, "O!n", known, &PyTuple_Type, &plan, &start))
        return NULL;
    if (start < 0) {
        PyErr_SetString(PyExc_ValueError, "a body begins at 0 or later");
        return NULL;
    }
    Reader *self = (Reader *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->start = start;
    self->call = read_value;
    if (plan_of(&self->root, plan) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
reader_dealloc(PyObject *self)
{
    let_go(&((Reader *)self)->root);
    Py_TYPE(self)->tp_free(self);
}

static PyTypeObject ReaderType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "schemas.wire._reading.Reader",
    .tp_doc = "Reads values of one schema: Reader(plan, start)(value).",
    .tp_basicsize = sizeof(Reader),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Reader, call),
    .tp_call = PyVectorcall_Call,
    .tp_new = reader_new,
    .tp_dealloc = reader_dealloc,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_reading", "Values of known schemas, read by a plan.", -1,
    NULL, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__reading(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL || PyType_Ready(&ReaderType) < 0)
        return NULL;
    if (PyModule_AddObjectRef(made, "Reader", (PyObject *)&ReaderType) < 0) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
